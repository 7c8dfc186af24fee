import CLinux
import Foundation
package import MigrationCore

/// The host's end of an instance's veth: while it is down, no packet reaches or leaves the
/// instance, and the kernel acknowledges nothing in its name.
package struct HostEnd: Codable, Equatable, Sendable {
    package let name: String

    package init(name: String) { self.name = name }

    /// The name that belongs to an interface of an instance. `scope` keeps two hosts on one kernel
    /// apart.
    package init(scope: String, instance: InstanceName, interface: String) {
        let digest = StreamDigest()
        digest.update("\(scope)\n\(instance)\n\(interface)")
        name = "gw" + digest.text.prefix(8)
    }

    package var exists: Bool { unsafe godwit_interface_exists(name) == 1 }

    /// - Throws: `kernelRefused` unless there is such an interface.
    package func setUp(_ isUp: Bool) throws {
        let error = unsafe godwit_interface_set_up(name, isUp ? 1 : 0)
        guard error == 0 else {
            throw GodwitError.kernel("set \(name) \(isUp ? "up" : "down")", code: error)
        }
    }
}
