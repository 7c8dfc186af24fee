import Synchronization

/// Counts what is open under a ceiling, in all or by name.
final class Occupancy: Sendable {
    private let ceiling: Int
    private let counts = Mutex<[String: Int]>([:])

    init(ceiling: Int) { self.ceiling = ceiling }

    func count(_ name: String = "") -> Int { counts.withLock { $0[name] ?? 0 } }

    /// False if the ceiling is reached.
    func enter(_ name: String = "") -> Bool {
        counts.withLock { counts in
            let count = counts[name] ?? 0
            guard count < ceiling else { return false }
            counts[name] = count + 1
            return true
        }
    }

    func leave(_ name: String = "") {
        counts.withLock { counts in
            guard let count = counts[name] else { preconditionFailure("\(name) left twice") }
            counts[name] = count > 1 ? count - 1 : nil
        }
    }
}
