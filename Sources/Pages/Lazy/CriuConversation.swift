import LinuxHost
import MigrationCore

/// What CRIU says on `lazy-pages.socket` while it restores:
///
///     pid: i32   then a byte that carries a userfaultfd, for each task
///     -pid: i32  for a zombie, without a userfaultfd
///     0x52535446 all tasks stand
///
/// With our library in it CRIU waits after the last for one byte: `y`, or it ends the restore.
struct CriuConversation: Sendable {
    enum Word: Sendable {
        case task(TaskID, FaultingMemory)
        case zombie
        case finished
    }

    let connection: Descriptor

    /// The next word. Blocks until it is there.
    func next() throws -> Word {
        let number = try readNumber()
        if UInt32(bitPattern: number) == Self.restoreFinished { return .finished }
        if number < 0 { return .zombie }
        guard number > 0, let descriptor = try connection.receiveDescriptor() else {
            throw GodwitError(
                .restoreFailed, "CRIU did not hand over the memory of task \(number)",
                remedy: "install CRIU 4.2 or newer")
        }
        return .task(TaskID(number), FaultingMemory(descriptor))
    }

    func answer(agreed: Bool) {
        // A CRIU without our library does not listen any more.
        try? connection.send(byte: UInt8(ascii: agreed ? "y" : "n"))
    }

    private func readNumber() throws -> Int32 {
        var bytes: [UInt8] = []
        while bytes.count < 4 {
            let more = try connection.read(upTo: 4 - bytes.count)
            guard !more.isEmpty else {
                throw GodwitError(
                    .toolFailed, "CRIU ended before all tasks stood",
                    remedy: "see CRIU's log of the restore")
            }
            bytes += more
        }
        return bytes.reversed().reduce(0) { $0 << 8 | Int32($1) }
    }

    private static let restoreFinished: UInt32 = 0x5253_5446
}
