import LinuxHost
import MigrationCore
import Synchronization

/// The packets kept for instances that stand still: one hold for each interface.
final class Holds: Sendable {
    private let holds = Mutex<[InstanceName: [PacketHold]]>([:])

    func put(_ holds: [PacketHold], for name: InstanceName) {
        self.holds.withLock { $0[name] = holds }
    }

    /// In the order of the definition's interfaces; nil if none were prepared.
    func of(_ name: InstanceName) -> [PacketHold]? { holds.withLock { $0[name] } }

    func take(_ name: InstanceName) -> [PacketHold]? {
        holds.withLock { $0.removeValue(forKey: name) }
    }

    func drop(_ name: InstanceName) async {
        for hold in take(name) ?? [] { await hold.drop() }
    }
}
