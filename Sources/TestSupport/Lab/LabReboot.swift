import Foundation
import MigrationCore

extension Lab {
    /// Ends all that runs on the host, and all its namespaces, as a power cut does, and has it come
    /// up again with its state alone. No daemon is started.
    ///
    /// - Returns: the lab with the new host in it.
    package func rebooted(_ name: String) async throws -> Lab {
        let old = host(name)
        kill(old.pid, SIGKILL)
        try await eventually("host \(name) has ended") { !isAlive(old.pid) }
        try await unwire(old)
        try FileManager.default.removeItem(atPath: old.directory + "/pid")
        let new = try await Self.startNode(
            name, in: directory, isHost: true)
        let lab = Lab(
            id: id, hosts: hosts.map { $0 == old ? new : $0 }, client: client, settings: settings,
            switchNode: switchNode)
        try await lab.wire(new)
        return lab
    }
}
