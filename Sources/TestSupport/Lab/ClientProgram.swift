import Foundation
import LinuxHost
import MigrationCore

/// A program in the client's network namespace that goes on until its standard input ends, then
/// says on its standard output what it saw.
package struct ClientProgram: Sendable {
    private let child: ChildProcess
    private let input: Descriptor
    private let output: Descriptor

    /// Returns when the program has said `ready` on its standard error.
    ///
    /// - Throws: `linkLost` with what it saw if it says something else.
    package init(client: LabNode, _ words: [String], ready: String) async throws {
        let (inputRead, inputWrite) = try Descriptor.pipe()
        let (outputRead, outputWrite) = try Descriptor.pipe()
        let (errorRead, errorWrite) = try Descriptor.pipe()
        child = try ChildProcess.start(
            LabCommands.network(of: client.pid, words),
            descriptors: [(inputRead, 0), (outputWrite, 1), (errorWrite, 2)])
        for end in [inputRead, outputWrite, errorWrite] { end.close() }
        (input, output) = (inputWrite, outputRead)
        let said = try await blocking { try errorRead.read(upTo: 1000) }
        guard String(decoding: said, as: UTF8.self).contains(ready) else {
            input.close()
            let seen = try? await finish()
            throw GodwitError(
                .linkLost, "the client is not \(ready)",
                cause: String(decoding: (seen ?? []) + said, as: UTF8.self))
        }
    }

    /// Returns when the program has ended by itself.
    package func waitForEnd() async { _ = await child.wait() }

    /// Ends it and returns what it saw.
    package func finish() async throws -> [UInt8] {
        input.close()
        let bytes = try await blocking { [output] in try output.readToEnd() }
        _ = await child.wait()
        return bytes
    }
}
