import ArgumentParser
import Foundation
import MigrationCore

/// `UID` or `UID:GID`.
struct UserSpecification: ExpressibleByArgument, Equatable {
    let user: UInt32
    let group: UInt32?

    init?(argument: String) {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let user = UInt32(parts[0]) else { return nil }
        let group = parts.count == 2 ? UInt32(parts[1]) : nil
        if parts.count == 2, group == nil { return nil }
        self.user = user
        self.group = group
    }
}

/// `bridge=B,address=A,gateway=G,route=N@G,mtu=M,hwaddr=H`; `address`, `gateway` and `route` may be
/// repeated. `parent=P` in place of the bridge is a macvlan (`nictype=macvlan` may be said, and
/// `nictype=bridged,parent=B` for a bridge). `none` is no interface.
struct NetworkSpecification: ExpressibleByArgument, Equatable {
    /// Nil for none.
    let request: InterfaceRequest?

    private static let words = [
        "bridge", "parent", "nictype", "address", "gateway", "route", "mtu", "hwaddr",
    ]

    init?(argument: String) {
        guard argument != "none" else {
            request = nil
            return
        }
        var values: [String: [String]] = [:]
        for pair in argument.split(separator: ",") {
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, Self.words.contains(parts[0]) else { return nil }
            values[parts[0], default: []].append(parts[1])
        }
        let routes = (values["route"] ?? []).compactMap(Self.route)
        let mtus = (values["mtu"] ?? []).compactMap { UInt32($0) }
        guard let (bridge, nicType) = Self.place(values),
            (values["hwaddr"] ?? []).count <= 1, mtus.count <= 1,
            mtus.count == (values["mtu"] ?? []).count,
            routes.count == (values["route"] ?? []).count
        else { return nil }
        request = InterfaceRequest(
            bridge: bridge, addresses: values["address"] ?? [],
            gateways: values["gateway"] ?? [], hardwareAddress: values["hwaddr"]?.first,
            mtu: mtus.first, routes: routes.isEmpty ? nil : routes, nicType: nicType)
    }

    /// The host's interface, and how the instance's hangs on it; nil unless both are clear.
    private static func place(_ values: [String: [String]]) -> (String, NICType?)? {
        let types = values["nictype"] ?? []
        switch (values["bridge"] ?? [], values["parent"] ?? []) {
        case (let bridge, []) where bridge.count == 1 && (types.isEmpty || types == ["bridged"]):
            return (bridge[0], nil)
        case ([], let parent) where parent.count == 1 && (types.isEmpty || types == ["macvlan"]):
            return (parent[0], .macvlan)
        case ([], let parent) where parent.count == 1 && types == ["bridged"]:
            return (parent[0], nil)
        default: return nil
        }
    }

    private static func route(_ text: String) -> RouteDefinition? {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        return RouteDefinition(network: parts[0], gateway: parts[1])
    }
}

/// `OLD=NEW`: the target's name for a bridge of the source.
struct NetworkRenaming: ExpressibleByArgument, Equatable {
    let old: String
    let new: String

    init?(argument: String) {
        let parts = argument.split(separator: "=", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        (old, new) = (String(parts[0]), String(parts[1]))
    }
}

/// `PORT:PORT`, with an address before it (IPv6 in brackets) and `/tcp` or `/udp` behind it.
struct PortSpecification: ExpressibleByArgument, Equatable {
    let definition: PortDefinition

    init?(argument: String) {
        let halves = argument.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(halves.count),
            let transport = PortDefinition.Transport(
                rawValue: halves.count == 2 ? String(halves[1]) : "tcp")
        else { return nil }
        let parts = halves[0].split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count >= 2, let hostPort = UInt16(parts[parts.count - 2]), hostPort > 0,
            let port = UInt16(parts[parts.count - 1]), port > 0
        else { return nil }
        var address: String?
        if parts.count > 2 {
            let text = parts.dropLast(2).joined(separator: ":")
            let isBracketed = text.hasPrefix("[") && text.hasSuffix("]")
            let bare = isBracketed ? String(text.dropFirst().dropLast()) : text
            guard NetworkAddress(bare) != nil, isBracketed == bare.contains(":") else { return nil }
            address = bare
        }
        definition = PortDefinition(
            transport: transport, hostAddress: address, hostPort: hostPort, port: port)
    }
}

/// `HOST:PATH` or `HOST:PATH:ro`, both absolute.
struct MountSpecification: ExpressibleByArgument, Equatable {
    let definition: MountDefinition

    init?(argument: String) {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
            .map(String.init)
        guard (2...3).contains(parts.count), parts[0].hasPrefix("/"), parts[1].hasPrefix("/"),
            parts.count == 2 || parts[2] == "ro"
        else { return nil }
        definition = MountDefinition(
            hostPath: parts[0], path: parts[1], isReadOnly: parts.count == 3)
    }
}

/// `[POOL/]NAME:PATH` or `[POOL/]NAME:PATH:ro`.
struct VolumeSpecification: ExpressibleByArgument, Equatable {
    let definition: MountDefinition

    init?(argument: String) {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
            .map(String.init)
        guard (2...3).contains(parts.count), parts[1].hasPrefix("/"),
            parts.count == 2 || parts[2] == "ro", let volume = try? VolumeReference(parts[0])
        else { return nil }
        definition = MountDefinition(
            path: parts[1], isReadOnly: parts.count == 3, volume: volume)
    }
}

/// `PATH=TREATMENT`: what becomes of a mount at a move. The first `=` counts that a word or a path
/// follows.
struct MountRule: ExpressibleByArgument, Equatable {
    let path: String
    let treatment: MountTreatment

    init?(argument: String) {
        let signs = argument.indices.lazy.filter { argument[$0] == "=" }
        let halves = signs.compactMap { sign in
            (try? MountTreatment(String(argument[argument.index(after: sign)...]))).map {
                (String(argument[..<sign]), $0)
            }
        }
        guard let (path, treatment) = halves.first, path.hasPrefix("/") else { return nil }
        (self.path, self.treatment) = (path, treatment)
    }
}

/// `REMOTE:` or `REMOTE:NEWNAME`.
struct Destination: Equatable {
    let remote: RemoteName
    let newName: InstanceName?

    init(_ text: String) throws {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else {
            throw ValidationError("write the remote with a colon, such as host-b: or host-b:web2")
        }
        remote = try Read.remote(parts[0])
        newName = parts[1].isEmpty ? nil : try Read.instance(parts[1])
    }
}

/// `NEWNAME`, `REMOTE:` or `REMOTE:NEWNAME`.
struct CopyDestination {
    let remote: RemoteName?
    let newName: InstanceName?

    init(_ text: String) throws {
        guard text.contains(":") else {
            (remote, newName) = (nil, try Read.instance(text))
            return
        }
        let destination = try Destination(text)
        (remote, newName) = (destination.remote, destination.newName)
    }
}

/// The daemon has a working directory of its own.
func absolute(_ path: String) -> String {
    path.hasPrefix("/")
        ? path : URL(filePath: path, directoryHint: .notDirectory).standardizedFileURL.path
}
