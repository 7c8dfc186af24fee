import Foundation
import LinuxHost
package import MigrationCore

/// Sends the files of one directory over a stream, each removed as soon as it has been sent, so
/// that the memory that it occupies is free again.
package struct CheckpointWriter: Sendable {
    private let directory: String

    package init(directory: String) { self.directory = directory }

    /// - Parameter progress: called with all bytes sent so far.
    /// - Returns: digest and size of the files; the other side must come to the same digest.
    package func send(
        over stream: any ByteStream,
        progress: @Sendable (ByteCount) -> Void
    ) async throws -> (digest: String, bytes: ByteCount) {
        let names = try plainNames()
        let digest = StreamDigest()
        var sent = ByteCount.zero
        try await stream.write(CheckpointFormat.header[...])
        for name in names {
            let path = "\(directory)/\(name)"
            try await send(name, at: path, over: stream, into: digest) { count in
                sent += count
                progress(sent)
            }
            try SmallFile.remove(path)
        }
        let end = CheckpointFormat.bytes(UInt16(0)) + CheckpointFormat.bytes(UInt32(names.count))
        try await stream.write(end[...])
        try await stream.finish()
        return (digest.text, sent)
    }

    private func plainNames() throws -> [String] {
        let names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
        guard names.count <= Limit.checkpointFiles else {
            throw GodwitError(
                .limitExceeded,
                "the checkpoint has \(names.count) files, \(Limit.checkpointFiles) are possible")
        }
        for name in names where !CheckpointFormat.isPlain(name) {
            throw GodwitError(.internalFault, "CRIU made a file with the name \"\(name)\"")
        }
        return names
    }

    /// The files lie in memory (tmpfs), so that reading them never waits for a disk.
    private func send(
        _ name: String, at path: String, over stream: any ByteStream, into digest: StreamDigest,
        count: (ByteCount) -> Void
    ) async throws {
        let file = try Descriptor.open(path, O_RDONLY)
        let size = try fileSize(file, path)
        try await stream.write(entry(name, size)[...])
        digest.update(entry(name, size)[...])
        var rest = size
        while rest > 0 {
            let bytes = try file.read(upTo: Int(min(rest, UInt64(CheckpointFormat.chunk))))
            guard !bytes.isEmpty else {
                throw GodwitError(.internalFault, "\(path) became shorter while it was sent")
            }
            digest.update(bytes[...])
            try await stream.write(bytes[...])
            rest -= UInt64(bytes.count)
            count(ByteCount(bytes: UInt64(bytes.count)))
        }
    }

    private func entry(_ name: String, _ size: UInt64) -> [UInt8] {
        CheckpointFormat.bytes(UInt16(name.utf8.count)) + Array(name.utf8)
            + CheckpointFormat.bytes(size)
    }

    private func fileSize(_ file: Descriptor, _ path: String) throws -> UInt64 {
        var status = stat()
        guard unsafe fstat(file.number, &status) == 0 else {
            throw GodwitError.kernel("stat \(path)")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw GodwitError(.internalFault, "\(path) is not a regular file")
        }
        return UInt64(status.st_size)
    }
}
