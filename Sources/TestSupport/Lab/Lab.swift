import Foundation
import LinuxHost
import MigrationCore

/// Real hosts on one machine: each has namespaces, state and a daemon of its own, all are joined to
/// one switch, and a client stands beside them.
///
///     host a: gwbr0 10.77.0.1 ──┐
///     host b: gwbr0 10.77.0.2 ──┼── switch ── client 10.77.0.9
///     instances: .10 and up  ───┘            (the same numbers in fd77::/64)
///
/// Nothing of it shows in this machine's own namespaces but processes, cgroups named
/// `godwit-lab-ID-HOST` and the directory `/var/tmp/godwit-lab-ID`. Whatever a killed lab left, the
/// next one removes. Needs root.
package struct Lab: Sendable {
    /// Six hexadecimal digits that tell labs running at the same time apart.
    package let id: String
    package let hosts: [LabNode]
    package let client: LabNode
    package let settings: Settings
    let switchNode: LabNode

    package struct Settings: Sendable {
        /// The program that runs as daemon and as command line.
        package var godwit: String
        package var criu = "/usr/local/libexec/godwit/criu"
        /// Added to each daemon's command line.
        package var daemonArguments: [String] = []

        package init(godwit: String = Lab.builtGodwit) { self.godwit = godwit }
    }

    package static let port = 7443
    package static let bridge = "gwbr0"
    package static let stateDirectory = "/var/lib/godwit"
    package static let socket = "/run/godwit/godwit.socket"
    package static let uplink = "gwup0"

    /// The program that `make build` leaves, for a process started in the package's directory.
    package static var builtGodwit: String {
        FileManager.default.currentDirectoryPath + "/.build/release/godwit"
    }

    /// The lab's own program: the client and the demo.
    package static var builtLab: String {
        FileManager.default.currentDirectoryPath + "/.build/release/lab"
    }

    package var directory: String { Self.directory(of: id) }

    package func host(_ name: String) -> LabNode {
        guard let host = hosts.first(where: { $0.name == name }) else {
            preconditionFailure("the lab has no host \(name)")
        }
        return host
    }

    /// The address of the `number`th host, counted from 1, or of an instance from 10 on.
    package static func address(_ number: Int) -> String {
        precondition((1...254).contains(number))
        return "10.77.0.\(number)"
    }

    package func address(of host: String) -> String {
        guard let index = hosts.firstIndex(where: { $0.name == host }) else {
            preconditionFailure("the lab has no host \(host)")
        }
        return Self.address(index + 1)
    }

    /// The cgroup that everything on the host runs below.
    package func cgroupParent(of host: String) -> String { Self.prefix(of: id) + "-" + host }

    static let directoryPrefix = "/var/tmp/godwit-lab-"
    package static func directory(of id: String) -> String { directoryPrefix + id }
    package static func prefix(of id: String) -> String { "godwit-lab-" + id }
    static let clientNumber = 9
}

extension Lab {
    /// Brings the hosts up, hands the lab over, and takes everything down again, whatever happened.
    package static func with<Value: Sendable>(
        hosts names: [String] = ["a", "b"], settings: Settings = Settings(),
        _ body: (Lab) async throws -> Value
    ) async throws -> Value {
        let lab = try await up(hosts: names, settings: settings)
        let result: Result<Value, any Error>
        do { result = .success(try await body(lab)) } catch { result = .failure(error) }
        // A task of its own: a test that ran out of time is cancelled and must clean up, too.
        try await Task { try await down(id: lab.id) }.value
        return try result.get()
    }

    /// Brings the hosts up for as long as this process lives and nobody takes them down.
    package static func up(
        hosts names: [String], settings: Settings = Settings(), outlivesCaller: Bool = false
    ) async throws -> Lab {
        precondition(names.count < clientNumber, "the client has the address after the last host's")
        try await sweep()
        let id = String(UInt32.random(in: 0..<1 << 24) | 1 << 24, radix: 16).suffix(6)
        do {
            return try await start(
                id: String(id), names: names, settings: settings, outlivesCaller: outlivesCaller)
        } catch {
            try? await down(id: String(id))
            throw error
        }
    }

    private static func start(
        id: String, names: [String], settings: Settings, outlivesCaller: Bool
    ) async throws -> Lab {
        let directory = directory(of: id)
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        if !outlivesCaller, let mark = ProcessMark(pid: getpid()) {
            try Data(mark.text.utf8).write(to: URL(filePath: directory + "/owner"))
        }
        let middle = try await startNode("switch", in: directory)
        let client = try await startNode("client", in: directory)
        var hosts: [LabNode] = []
        for name in names { hosts.append(try await startNode(name, in: directory, isHost: true)) }
        let lab = Lab(
            id: id, hosts: hosts, client: client, settings: settings, switchNode: middle)
        try await lab.wire()
        return lab
    }

    static func startNode(
        _ name: String, in directory: String, isHost: Bool = false
    ) async throws -> LabNode {
        try await LabNode.start(
            name: name, hostName: isHost ? "host-\(name)" : name,
            directory: directory + "/" + name, stateOver: isHost ? stateDirectory : nil)
    }
}

extension Lab {
    /// Finds a lab that another process brought up.
    ///
    /// - Throws: `notFound` if it is gone or was never complete.
    package static func find(id: String, settings: Settings = Settings()) throws -> Lab {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory(of: id))) ?? []
        let nodes = names.sorted().compactMap { name -> LabNode? in
            let place = directory(of: id) + "/" + name
            guard let pid = readPid(place + "/pid"), isAlive(pid) else { return nil }
            return LabNode(name: name, directory: place, pid: pid)
        }
        guard let client = nodes.first(where: { $0.name == "client" }),
            let middle = nodes.first(where: { $0.name == "switch" })
        else {
            throw GodwitError(
                .notFound, "there is no lab \(id)", remedy: "bring one up with `lab up`")
        }
        let hosts = nodes.filter { $0 != client && $0 != middle }
        return Lab(id: id, hosts: hosts, client: client, settings: settings, switchNode: middle)
    }

    /// The ids of all labs on this machine.
    package static func all() -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/var/tmp")) ?? []
        return names.filter { $0.hasPrefix("godwit-lab-") }
            .map { String($0.dropFirst("godwit-lab-".count)) }.sorted()
    }
}
