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

/// `bridge=B,address=A,gateway=G,hwaddr=H`; `address` and `gateway` may be repeated.
struct NetworkSpecification: ExpressibleByArgument, Equatable {
    let request: InterfaceRequest

    init?(argument: String) {
        var values: [String: [String]] = [:]
        for pair in argument.split(separator: ",") {
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, ["bridge", "address", "gateway", "hwaddr"].contains(parts[0])
            else { return nil }
            values[parts[0], default: []].append(parts[1])
        }
        guard let bridge = values["bridge"], bridge.count == 1,
            (values["hwaddr"] ?? []).count <= 1
        else { return nil }
        request = InterfaceRequest(
            bridge: bridge[0], addresses: values["address"] ?? [],
            gateways: values["gateway"] ?? [], hardwareAddress: values["hwaddr"]?.first)
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

/// The daemon has a working directory of its own.
func absolute(_ path: String) -> String {
    path.hasPrefix("/")
        ? path : URL(filePath: path, directoryHint: .notDirectory).standardizedFileURL.path
}
