import LinuxHost
import MigrationCore
import Synchronization

/// The volumes of a pool whose files arrive under other host ids than they have on the source.
///
/// Where kernel and filesystem have idmapped mounts they are received and read through one, so that
/// every file is the instance's from the moment at which it is there. Elsewhere they lie with the
/// source's ids until all has come and been compared, and are then shifted. Nothing of this has to
/// outlive the daemon: what had not arrived whole when it ended is removed, and the source goes on.
final class ArrivingIDs: Sendable {
    private struct Arrival: Sendable {
        let change: IDChange
        let view: IDMappedTree?
    }

    private let arrivals = Mutex<[String: Arrival]>([:])

    func expect(_ change: IDChange, in volume: String, at root: String) async throws {
        if arrivals.withLock({ $0[volume]?.change == change }) { return }
        let view = try await blocking { IDMappedTree.open(root, change) }
        arrivals.withLock { $0[volume] = Arrival(change: change, view: view) }
    }

    /// Nil for a volume that is received and read as it is.
    func view(of volume: String) -> IDMappedTree? { arrivals.withLock { $0[volume]?.view } }

    func settle(_ volume: String, at root: String) async throws {
        guard let arrival = arrivals.withLock({ $0[volume] }) else { return }
        if arrival.view == nil { try await IDShift(arrival.change).apply(to: root) }
        forget(volume)
    }

    func forget(_ volume: String) { arrivals.withLock { _ = $0.removeValue(forKey: volume) } }
}
