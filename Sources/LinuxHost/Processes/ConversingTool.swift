import CLinux
import Foundation
package import MigrationCore

/// A running tool that converses over a pipe each way, what it says to people kept apart.
package struct ConversingTool: Sendable {
    package let child: ChildProcess
    /// What is written here, the tool reads.
    package let input: Descriptor
    /// What the tool writes is read here.
    package let output: Descriptor
    private let messages: Descriptor

    /// The numbers under which the tool knows its ends of the pipes.
    package struct Ends: Sendable {
        let reading: Int32
        let writing: Int32

        package static let standard = Ends(reading: 0, writing: 1)
        /// For tools whose standard streams are taken: standard output then counts as messages.
        package static let threeAndFour = Ends(reading: 3, writing: 4)
    }

    /// Starts the tool; whatever it leaves in its process group is killed when it ends.
    ///
    /// - Parameters:
    ///   - input: read by a tool whose standard streams are taken from its standard input, a file
    ///     in memory.
    ///   - extra: read by the tool from descriptor 5, at most 64 KiB.
    ///   - held: open in the tool as descriptor 6.
    package static func start(
        _ command: Command, ends: Ends = .standard, input: [UInt8]? = nil,
        extra: [UInt8]? = nil, held: Descriptor? = nil
    ) throws -> ConversingTool {
        precondition(input == nil || ends.reading != 0, "its standard input is a pipe")
        let (inputRead, inputWrite) = try Descriptor.pipe()
        let (outputRead, outputWrite) = try Descriptor.pipe()
        let (messagesRead, messagesWrite) = try Descriptor.pipe()
        for pipe in [inputWrite, outputRead] {
            // Fewer turns a mebibyte; where the kernel does not grant it, the pipe stays as it is.
            _ = godwit_set_pipe_size(pipe.number, pipeSize)
        }
        var descriptors = [(inputRead, ends.reading), (outputWrite, ends.writing)]
        descriptors.append((messagesWrite, 2))
        if ends.reading != 0 {
            let input = try input.map(Descriptor.memory) ?? .open("/dev/null", O_RDONLY)
            descriptors.append((input, 0))
            descriptors.append((messagesWrite, 1))
        }
        if let extra {
            precondition(extra.count <= 65_536, "more than a pipe holds")
            let (extraRead, extraWrite) = try Descriptor.pipe()
            try extraWrite.write(extra[...])
            descriptors.append((extraRead, 5))
        }
        if let held { descriptors.append((held, heldNumber)) }
        let child = try ChildProcess.start(command, descriptors: descriptors, endsItsGroup: true)
        return ConversingTool(
            child: child, input: inputWrite, output: outputRead, messages: messagesRead)
    }

    package static let heldNumber: Int32 = 6

    /// What the tool says until its end, cut at the limit. Has to be awaited while the tool runs.
    package func said(limit: ByteCount = Limit.toolOutput) async throws -> String {
        String(decoding: try await drain(messages, limit: limit), as: UTF8.self)
    }
}

private let pipeSize: Int32 = 1 << 20
