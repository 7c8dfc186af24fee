import Foundation
import LinuxHost
package import MigrationCore

/// Sends the files of one directory over a stream, each removed as soon as it has been sent, so
/// that the memory that it occupies is free again. One call at a time.
package actor CheckpointWriter {
    private let directory: String
    private let digest = StreamDigest()
    private var sent = ByteCount.zero
    private var count = 0
    private var isOpen = false

    package init(directory: String) { self.directory = directory }

    /// Sends one file before the others are there.
    package func sendAhead(_ name: String, over stream: any ByteStream) async throws {
        try await open(stream)
        try await send(name, over: stream) { _ in }
    }

    /// Sends what there is, and the end.
    ///
    /// - Parameter progress: called with all bytes sent so far.
    /// - Returns: digest and size of the files; the other side must come to the same digest.
    package func send(
        over stream: any ByteStream,
        progress: @Sendable (ByteCount) -> Void
    ) async throws -> (digest: String, bytes: ByteCount) {
        try await open(stream)
        for name in try plainNames() { try await send(name, over: stream, progress) }
        let end = CheckpointFormat.bytes(UInt16(0)) + CheckpointFormat.bytes(UInt32(count))
        try await stream.write(end[...])
        try await stream.finish()
        return (digest.text, sent)
    }

    private func open(_ stream: any ByteStream) async throws {
        guard !isOpen else { return }
        isOpen = true
        try await stream.write(CheckpointFormat.header[...])
    }

    private func plainNames() throws -> [String] {
        let names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
        guard count + names.count <= Limit.checkpointFiles else {
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
        _ name: String, over stream: any ByteStream, _ progress: (ByteCount) -> Void
    ) async throws {
        let path = "\(directory)/\(name)"
        let file = try Descriptor.open(path, O_RDONLY)
        let size = try fileSize(file, path)
        count += 1
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
            sent += ByteCount(bytes: UInt64(bytes.count))
            progress(sent)
        }
        try SmallFile.remove(path)
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
