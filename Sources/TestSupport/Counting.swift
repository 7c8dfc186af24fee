import Foundation
import LinuxHost
import MigrationCore

/// The client while it counts over one connection that it never renews: the program `lab` in the
/// client's network namespace.
package struct Counting: Sendable {
    private let program: ClientProgram

    /// Returns when the first reply is there.
    ///
    /// - Throws: `linkLost` with the client's words if it cannot connect.
    package init(
        client: LabNode, address: String, port: UInt16 = 6379, program: String = Lab.builtLab
    ) async throws {
        let words = [program, "witness", address, "\(port)"]
        self.program = try await ClientProgram(client: client, words, ready: "counting")
    }

    /// Returns when the client has ended by itself: its connection has broken.
    package func waitForBreak() async { await program.waitForEnd() }

    /// Ends the counting and returns what the client saw.
    package func finish() async throws -> Testimony {
        try JSONDecoder().decode(Testimony.self, from: Data(try await program.finish()))
    }
}
