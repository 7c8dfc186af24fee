import Foundation
import LinuxHost
package import MigrationCore

/// Receives what `CheckpointWriter` sends into an empty directory.
package struct CheckpointReader: Sendable {
    private let directory: String

    package init(directory: String) { self.directory = directory }

    /// - Parameters:
    ///   - arrived: called with the name of each file that is whole.
    ///   - progress: called with all bytes of content received so far.
    /// - Throws: `protocolViolation` for anything that is not the format, `limitExceeded`,
    ///   `noSpace`,
    ///   `linkLost` if the stream ends too soon. What has arrived is left in the directory.
    package func receive(
        from stream: any ByteStream,
        arrived: @Sendable (String) throws -> Void = { _ in },
        progress: @Sendable (ByteCount) -> Void
    ) async throws -> (digest: String, bytes: ByteCount) {
        var source = BufferedSource(stream: stream)
        let digest = StreamDigest()
        var received = ByteCount.zero
        var count = 0
        try await readHeader(&source)
        while let name = try await readName(&source) {
            count += 1
            guard count <= Limit.checkpointFiles else {
                throw GodwitError(
                    .limitExceeded,
                    "the peer sends more than \(Limit.checkpointFiles) checkpoint files")
            }
            try await receive(name, from: &source, into: digest) { bytes in
                received += bytes
                progress(received)
            }
            try arrived(name)
        }
        let announced = CheckpointFormat.number(try await source.take(4), as: UInt32.self)
        guard announced == count, try await source.isAtEnd() else {
            throw CheckpointFormat.violation("does not end after \(count) files")
        }
        return (digest.text, received)
    }

    private func readHeader(_ source: inout BufferedSource) async throws {
        let header = try await source.take(CheckpointFormat.header.count)
        guard header.starts(with: CheckpointFormat.magic) else {
            throw CheckpointFormat.violation("does not start with its mark")
        }
        let version = CheckpointFormat.number(Array(header[4..<6]), as: UInt16.self)
        guard version == CheckpointFormat.version else {
            throw GodwitError(
                .peerIncompatible,
                "the peer's checkpoint stream has version \(version), this host reads 1",
                remedy: "install the same version of godwit on both hosts")
        }
    }

    private func readName(_ source: inout BufferedSource) async throws -> String? {
        let length = CheckpointFormat.number(try await source.take(2), as: UInt16.self)
        guard length > 0 else { return nil }
        guard length <= CheckpointFormat.nameLimit else {
            throw CheckpointFormat.violation("has a name of \(length) bytes")
        }
        let name = String(decoding: try await source.take(Int(length)), as: UTF8.self)
        guard CheckpointFormat.isPlain(name) else {
            throw CheckpointFormat.violation("has a name that is not plain")
        }
        return name
    }

    private func receive(
        _ name: String, from source: inout BufferedSource, into digest: StreamDigest,
        count: (ByteCount) -> Void
    ) async throws {
        let size = try await source.take(8)
        var rest = CheckpointFormat.number(size, as: UInt64.self)
        guard rest <= Limit.checkpointFile.bytes else {
            throw GodwitError(.limitExceeded, "the peer announces \(rest) bytes for \(name)")
        }
        digest.update(CheckpointFormat.bytes(UInt16(name.utf8.count))[...])
        digest.update(name)
        digest.update(size[...])
        let path = "\(directory)/\(name)"
        guard !SmallFile.exists(path) else {
            throw CheckpointFormat.violation("names \(name) twice")
        }
        let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL)
        // Whatever the umask: root of the instance's user namespace reads it as a stranger.
        guard fchmod(file.number, 0o644) == 0 else {
            throw GodwitError.kernel("change the mode of \(path)")
        }
        while rest > 0 {
            let bytes = try await source.next(upTo: Int(min(rest, UInt64(CheckpointFormat.chunk))))
            digest.update(bytes)
            try file.write(bytes)
            rest -= UInt64(bytes.count)
            count(ByteCount(bytes: UInt64(bytes.count)))
        }
    }
}

/// Cuts a stream into pieces of wanted sizes.
struct BufferedSource {
    private let stream: any ByteStream
    private var buffer: ArraySlice<UInt8> = []

    init(stream: any ByteStream) { self.stream = stream }

    /// Exactly `count` bytes, for small counts.
    mutating func take(_ count: Int) async throws -> [UInt8] {
        var taken: [UInt8] = []
        while taken.count < count { taken += try await next(upTo: count - taken.count) }
        return taken
    }

    /// At least one byte, at most `count`.
    mutating func next(upTo count: Int) async throws -> ArraySlice<UInt8> {
        precondition(count > 0)
        try await fill()
        guard !buffer.isEmpty else {
            throw GodwitError(
                .linkLost, "the peer ended the checkpoint stream before it was complete")
        }
        let head = buffer.prefix(count)
        buffer = buffer.dropFirst(count)
        return head
    }

    /// Whether the stream is over. Reads on if nothing is left in hand.
    mutating func isAtEnd() async throws -> Bool {
        try await fill()
        return buffer.isEmpty
    }

    private mutating func fill() async throws {
        guard buffer.isEmpty, let bytes = try await stream.read() else { return }
        buffer = bytes[...]
    }
}
