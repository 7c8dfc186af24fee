import Crypto
import Foundation
import LinuxHost
import MigrationCore
import Synchronization

/// A file that is being written, and its digest.
final class BlobDraft: Sendable {
    let path: String
    private let file: Descriptor
    private let content = Mutex(ContentDigest())

    /// - Throws: `kernelRefused` if there is something at the path.
    init(at path: String, mode: UInt32 = 0o600) throws {
        self.path = path
        file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
    }

    /// What was written so far.
    var blob: ImageBlob { content.withLock { $0.blob } }

    /// - Throws: `limitExceeded`, `noSpace`.
    func write(_ bytes: [UInt8]) throws {
        try content.withLock { try $0.add(bytes) }
        try file.write(bytes[...])
    }

    /// Copies a file, and a little more than `limit` at most.
    func copy(_ source: String, atMost limit: ByteCount = Limit.imageBlob) async throws {
        let given = try openBlob(source)
        var isOver = false
        while !isOver, blob.size <= limit {
            try Task.checkCancellation()
            isOver = try await blocking { [self] in
                let bytes = try given.read(upTo: 1 << 20)
                try write(bytes)
                return bytes.isEmpty
            }
        }
    }

    /// Returns when all is on the disk.
    func finish() throws -> ImageBlob {
        try file.synchronize()
        file.close()
        return blob
    }
}

/// SHA-256 over bytes that come piece by piece, and their number.
struct ContentDigest: Sendable {
    private var hash = SHA256()
    private var size: UInt64 = 0

    /// - Throws: `limitExceeded`.
    mutating func add(_ bytes: [UInt8]) throws {
        hash.update(data: bytes)
        size += UInt64(bytes.count)
        guard size <= Limit.imageBlob.bytes else {
            throw GodwitError(
                .limitExceeded, "a file of the image is larger than \(Limit.imageBlob.bytes) bytes")
        }
    }

    var blob: ImageBlob {
        ImageBlob(digest: BlobDigest(hash.finalize()), size: ByteCount(bytes: size))
    }

    /// Of a file.
    static func of(_ path: String) async throws -> ImageBlob {
        let file = try openBlob(path)
        var content = ContentDigest()
        while true {
            let bytes = try await blocking { try file.read(upTo: 1 << 20) }
            if bytes.isEmpty { return content.blob }
            try content.add(bytes)
            try Task.checkCancellation()
        }
    }

    /// Of what a tool writes.
    static func of(_ command: Command) async throws -> ImageBlob {
        let content = Mutex(ContentDigest())
        try await command.pour { bytes in try content.withLock { try $0.add(bytes) } }
        return content.withLock { $0.blob }
    }
}

extension BlobDigest {
    /// Of bytes that are at hand.
    static func of(_ bytes: [UInt8]) -> BlobDigest { BlobDigest(SHA256.hash(data: bytes)) }

    init(_ digest: SHA256Digest) {
        let text = digest.hexadecimal
        guard let made = try? BlobDigest("sha256:" + text) else {
            preconditionFailure("\(text) is no digest")
        }
        self = made
    }
}

/// Opens a regular file that is no link.
///
/// - Throws: `badRequest` if it is something else.
func openBlob(_ path: String) throws -> Descriptor {
    let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK
    guard try FileStatus.of(path)?.kind == .regular, let file = try? Descriptor.open(path, flags)
    else {
        throw GodwitError(
            .badRequest, "the image has no file \(path)",
            remedy: "copy the image again, as in `skopeo copy … oci:DIRECTORY:latest`")
    }
    return file
}
