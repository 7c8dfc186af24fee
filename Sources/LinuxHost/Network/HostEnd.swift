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

    /// Lets nothing through, in either direction. The interface stays up where the bridge allows it
    /// (one with a spanning tree does not): the instance's own end does not lose its carrier, and
    /// so forgets no neighbour and can send as soon as this is undone.
    ///
    /// - Parameter host: a process in the host's network namespace, or 0 for this one.
    /// - Throws: `kernelRefused` unless there is such an interface.
    package func silence(host: Int32 = 0) throws {
        let route = try RouteSocket(of: host)
        let link = try link(route)
        do {
            try route.tell([.port(link.index, isOpen: false)], to: "silence \(name)")
        } catch {
            try route.tell([.setUp(false, link.index)], to: "set \(name) down")
        }
    }

    /// Undoes `silence`, and sets the interface up.
    package func unsilence(host: Int32 = 0) throws {
        let route = try RouteSocket(of: host)
        let link = try link(route)
        try route.tell([.setUp(true, link.index)], to: "set \(name) up")
        // Refused where the bridge opens its ports itself, as soon as they are up.
        try? route.tell([.port(link.index, isOpen: true)], to: "open \(name)")
    }

    func link(_ route: RouteSocket) throws -> Link {
        guard let link = try route.link(name) else {
            throw GodwitError(.kernelRefused, "there is no interface \(name) on this host")
        }
        return link
    }
}
