import Foundation
import LinuxHost
import MigrationCore

/// The client while it counts over one connection that it never renews: the program `lab` in the
/// client's network namespace.
package struct Counting: Sendable {
    private let child: ChildProcess
    private let input: Descriptor
    private let output: Descriptor

    /// Returns when the first reply is there.
    ///
    /// - Throws: `linkLost` with the client's words if it cannot connect.
    package init(
        client: LabNode, address: String, port: UInt16 = 6379, program: String = Lab.builtLab
    ) async throws {
        let (inputRead, inputWrite) = try Descriptor.pipe()
        let (outputRead, outputWrite) = try Descriptor.pipe()
        let (errorRead, errorWrite) = try Descriptor.pipe()
        let words = [program, "witness", address, "\(port)"]
        child = try ChildProcess.start(
            LabCommands.network(of: client.pid, words),
            descriptors: [(inputRead, 0), (outputWrite, 1), (errorWrite, 2)])
        for end in [inputRead, outputWrite, errorWrite] { end.close() }
        (input, output) = (inputWrite, outputRead)
        let said = try await blocking { try errorRead.read(upTo: 1000) }
        guard String(decoding: said, as: UTF8.self).contains("counting") else {
            input.close()
            let testimony = try? await finish()
            throw GodwitError(
                .linkLost, "the client could not begin to count", cause: testimony?.error)
        }
    }

    /// Returns when the client has ended by itself: its connection has broken.
    package func waitForBreak() async { _ = await child.wait() }

    /// Ends the counting and returns what the client saw.
    package func finish() async throws -> Testimony {
        input.close()
        let bytes = try await blocking { [output] in
            var all: [UInt8] = []
            while true {
                let more = try output.read(upTo: 65_536)
                if more.isEmpty { return all }
                all += more
            }
        }
        _ = await child.wait()
        return try JSONDecoder().decode(Testimony.self, from: Data(bytes))
    }
}
