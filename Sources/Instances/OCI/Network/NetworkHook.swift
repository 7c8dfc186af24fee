import Foundation
import LinuxHost
import MigrationCore

/// Gives a new network namespace its interfaces, in the moment in which runc asks for it: before
/// any socket exists, at start and at restore.
///
///     runc ── sh, its hook ══ two pipes with names ══ monitor
///
/// A shell starts in 1 ms, this program in 20, and a restored instance stands still meanwhile.
package struct NetworkHook {
    /// Hands over the container's state, which runc gives hooks on their standard input as one line
    /// of JSON, and waits for a line that says `ok` or why not.
    static let script = """
        read -r state; printf '%s\\n' "$state" >"$1/\(asked)"
        read -r answer <"$1/\(answered)"
        [ "$answer" = ok ] || { echo "$answer" >&2; exit 1; }
        """

    private static let asked = "hook-asked"
    private static let answered = "hook-answered"

    private let record: RuntimeRecord
    private let state: Descriptor
    private let answer: Descriptor

    /// Makes the pipes. Both are open for both directions here, so that no end is ever waited for.
    init(_ record: RuntimeRecord) throws {
        self.record = record
        let directory = record.files.directory
        func pipe(_ name: String) throws -> Descriptor {
            let path = "\(directory)/\(name)"
            try SmallFile.remove(path)
            guard unsafe mkfifo(path, 0o600) == 0 else {
                throw GodwitError.kernel("make the pipe \(path)")
            }
            return try Descriptor.open(path, O_RDWR)
        }
        state = try pipe(Self.asked)
        answer = try pipe(Self.answered)
    }

    /// Waits for runc's hook and does what it asks; returns without it after `end`.
    func serve() async {
        do {
            let line = try await blocking { try state.read(upTo: 65_536) }
            guard line != [Self.newline] else { return }
            try record.arrangeCgroups()
            try await Self.run(record, pid: Self.pid(inState: line))
            try answer.write(Array("ok\n".utf8)[...])
        } catch {
            let text = (error as? GodwitError).map { "\($0.message): \($0.cause ?? "")" }
            let line = (text ?? "\(error)").replacing("\n", with: " ") + "\n"
            try? answer.write(Array(line.utf8)[...])
        }
    }

    /// The hook does not come any more.
    func end() { try? state.write([Self.newline]) }

    private static let newline = UInt8(ascii: "\n")

    static func run(_ record: RuntimeRecord, pid: Int32) async throws {
        let ends = record.configuration.hostEnds(of: record.definition)
        let wired = record.configuration.wired(record.definition)
        for (interface, end) in zip(wired, ends) {
            if interface.isMacvlan {
                try await addMacvlan(interface, record, pid)
                continue
            }
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
        for (interface, end) in zip(wired, ends) where !interface.isMacvlan { try end.unsilence() }
    }

    private static func addMacvlan(
        _ interface: InterfaceDefinition, _ record: RuntimeRecord, _ pid: Int32
    ) async throws {
        let isOpen = !record.isSilent && record.isHeld != true
        let macvlan = Ip.addMacvlan(interface, pid: pid, isOpen: isOpen)
        try await macvlan.command.check(input: Array(macvlan.input.utf8))
        try await MacvlanEnd(name: interface.name).setUp(of: pid, isSilent: record.isSilent)
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
