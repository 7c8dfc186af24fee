import Glibc
import MigrationCore
import Synchronization

/// Keeps a CRIU that was started ahead from doing anything that counts, until it is let go.
///
///     runc ── CRIU with our library ── a socket, `held` ── this process
///
/// If this process ends CRIU does too, whether it waits already or comes later.
package final class CriuHold: Sendable {
    private static let name = "held"
    private static let agreed = UInt8(ascii: "y")

    private let listener: LocalListener
    private let connection = Mutex<Descriptor?>(nil)

    /// - Parameter directory: what CRIU is told, see `Criu.hiding`.
    package init(in directory: String) throws {
        listener = try LocalListener(Self.name, in: directory, mode: 0o600)
    }

    /// Returns once CRIU has come to where it waits. Blocks.
    ///
    /// - Parameter child: who starts CRIU, and ends when CRIU does.
    /// - Returns: false if that has ended instead.
    package func waitsAhead(of child: ChildProcess) throws -> Bool {
        while connection.withLock({ $0 == nil }) {
            if Readiness.wait([listener.descriptor], milliseconds: 5)[0] {
                let accepted = try listener.accept()
                connection.withLock { $0 = accepted }
            } else if child.hasEnded {
                return false
            }
        }
        return true
    }

    /// Lets CRIU go on, which must wait by now.
    package func letGo() throws {
        let waiting = connection.withLock { connection in
            defer { connection = nil }
            return connection
        }
        listener.close()
        guard let waiting else { preconditionFailure("nobody waits to be let go") }
        try waiting.send(byte: Self.agreed)
    }

    /// Has CRIU end, and returns when who started it has. What it does not heed in 2 s kills it,
    /// which does no harm: it has not touched anything yet.
    package func drop(_ child: ChildProcess) async {
        connection.withLock { $0 = nil }
        listener.close()
        let kill = Task {
            guard (try? await Task.sleep(for: .seconds(2))) != nil else { return }
            child.signalGroup(SIGKILL)
        }
        _ = await child.wait()
        kill.cancel()
    }
}
