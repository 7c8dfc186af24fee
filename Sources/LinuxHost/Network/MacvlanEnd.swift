import Foundation
package import MigrationCore

/// An instance's macvlan, which has no other end on the host: it is opened and closed from outside
/// in the instance's own network namespace.
///
/// Nothing of this takes addresses, routes or neighbours' questions from it as setting it down
/// would.
package struct MacvlanEnd: Equatable, Sendable {
    /// The name inside.
    package let name: String

    package init(name: String) { self.name = name }

    /// Nothing comes in any more. Frames to its address stay with the parent, where a hold hears
    /// them.
    ///
    /// - Parameter instance: a process in the instance's network namespace, in all of these.
    /// - Throws: `kernelRefused` unless there is such a macvlan.
    package func divert(of instance: Int32) throws {
        try tell(instance, to: "close \(name)") { [.mode(.source, $0)] }
    }

    /// Lets nothing through, in either direction. The kernel takes a lost carrier to heart a moment
    /// later, and longer while namespaces are being removed: until then its own timers still send
    /// for the instance, from whose frames a switch would learn a place that it has left. Waits
    /// for that, for 200 ms at most, and each time for the lock under which the kernel does it.
    package func silence(of instance: Int32) async throws {
        let route = try RouteSocket(of: instance)
        let link = try link(route)
        try route.tell([.cut(true, link.index)], to: "silence \(name)")
        _ = try await holds(within: .milliseconds(200)) {
            try route.link(name)?.isSettled != true
        }
        // Waits for the lock under which an interface first counts as down and then becomes it.
        try route.tell([.mode(.source, link.index)], to: "silence \(name)")
    }

    /// Undoes `silence` and `divert`. Returns when the interface can transmit, after 200 ms at
    /// most.
    package func open(of instance: Int32) async throws {
        try await letOut(of: instance)
        try letIn(of: instance)
    }

    /// Undoes half of `silence`: what it sends goes out.
    func letOut(of instance: Int32) async throws {
        let route = try RouteSocket(of: instance)
        let link = try link(route)
        guard !link.isSettled else { return }
        try route.tell([.cut(false, link.index)], to: "open \(name)")
        _ = try await holds(within: .milliseconds(200)) {
            try route.link(name)?.isSettled ?? true
        }
    }

    /// What comes reaches it.
    func letIn(of instance: Int32) throws {
        try tell(instance, to: "open \(name)") { [.mode(.bridge, $0)] }
    }

    /// Sets a new macvlan up, as soon as the parent has let go of one with the same address: the
    /// kernel takes a while to remove a namespace that has ended. Waits for 2 s at most.
    package func setUp(of instance: Int32, isSilent: Bool) async throws {
        let route = try RouteSocket(of: instance)
        let index = try link(route).index
        let cut: [NetlinkMessage] = isSilent ? [.cut(true, index)] : []
        let messages = cut + [.setUp(true, index)]
        let isUp = await holds(within: .seconds(2)) {
            (try? route.tell(messages, to: "")) != nil
        }
        if !isUp { try route.tell(messages, to: "set \(name) up") }
    }

    private func tell(
        _ instance: Int32, to action: String, _ messages: (UInt32) -> [NetlinkMessage]
    ) throws {
        let route = try RouteSocket(of: instance)
        try route.tell(messages(link(route).index), to: action)
    }

    private func link(_ route: RouteSocket) throws -> Link {
        guard let link = try route.link(name) else {
            throw GodwitError(.kernelRefused, "the instance has no interface \(name)")
        }
        return link
    }
}

/// The macvlans of an instance that is to end: they are removed at once, and not when the kernel
/// comes to their namespace, since nobody else could have their addresses until then.
package struct EndingMacvlans: Sendable {
    private let route: RouteSocket?
    private let names: [String]

    /// - Parameter instance: a process of the instance, which may end before `remove`.
    package init(_ definition: InstanceDefinition, of instance: Int32?) {
        names = definition.interfaces.filter(\.isMacvlan).map(\.name)
        route = names.isEmpty ? nil : instance.flatMap { try? RouteSocket(of: $0) }
    }

    /// Passes over what is not there.
    package func remove() {
        guard let route else { return }
        for name in names {
            guard let link = try? route.link(name) else { continue }
            try? route.tell([.deleteLink(link.index)], to: "remove \(name)")
        }
    }
}
