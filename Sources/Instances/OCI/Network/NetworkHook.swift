import Foundation
import LinuxHost
import MigrationCore

/// The program behind `godwit hook network`: gives a new network namespace its interfaces.
package enum NetworkHook {
    /// Reads the container's state from standard input, as OCI hooks do.
    ///
    /// - Parameter record: the path of the instance's runtime record.
    package static func run(record path: String) async throws {
        let state = try Descriptor(taking: dup(STDIN_FILENO)).read(upTo: 65_536)
        try await run(try RuntimeRecord.read(path), pid: try pid(inState: state))
    }

    static func run(_ record: RuntimeRecord, pid: Int32) async throws {
        let ends = record.configuration.hostEnds(of: record.definition)
        for (interface, end) in zip(record.definition.interfaces, ends) {
            // Left behind by a start that did not come to its end.
            if end.exists { try await Ip.deleteLink(end.name).check() }
            let veth = Ip.addVeth(interface, hostEnd: end.name, pid: pid)
            try await veth.command.check(input: Array(veth.input.utf8))
        }
        // Nothing reaches it for a while: its questions for neighbours must not wait a second each.
        if record.isSilent {
            for interface in record.definition.interfaces {
                try? NeighbourQuestions.hurry(interface.name, of: pid)
            }
        }
        let inner = Ip.configure(record.definition.interfaces, pid: pid)
        try await inner.command.check(input: Array(inner.input.utf8))
        guard !record.isSilent else { return }
        for end in ends { try end.unsilence() }
    }

    package static func pid(inState bytes: [UInt8]) throws -> Int32 {
        struct State: Decodable { var pid: Int32 }
        guard let state = try? JSONDecoder().decode(State.self, from: Data(bytes)), state.pid > 0
        else {
            throw GodwitError(
                .badRequest, "standard input holds no state of a running container",
                remedy: "let runc call this hook")
        }
        return state.pid
    }
}
