import Foundation
import LinuxHost
import MigrationCore

/// One direction of a stream that ends in a file, or comes from one.
struct FileStream: ByteStream {
    private let file: Descriptor
    /// Where it was written, and where it goes when it is whole; nil for one that is read.
    private let places: (temporary: String, path: String)?

    /// - Throws: `stateUnreadable` if there is no such file.
    init(reading path: String) throws {
        do { file = try Descriptor.open(path, O_RDONLY) } catch {
            throw GodwitError(
                .stateUnreadable, "there is no \(path)",
                remedy: "the instance can only be started anew (`godwit start --stateless`)",
                cause: "\(error)")
        }
        places = nil
    }

    init(writing path: String, by temporary: String) throws {
        file = try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_TRUNC)
        places = (temporary, path)
    }

    func read() async throws -> [UInt8]? {
        precondition(places == nil, "what is being written is not read")
        let file = file
        let bytes = try await blocking { try file.read(upTo: Int(Limit.frame.bytes)) }
        return bytes.isEmpty ? nil : bytes
    }

    func write(_ bytes: ArraySlice<UInt8>) async throws {
        precondition(places != nil, "what is read is not written")
        let file = file
        try await blocking { try file.write(bytes) }
    }

    /// Gives the file its name, once all of it is on the disk.
    func finish() async throws {
        guard let places else { return }
        let file = file
        try await blocking {
            try file.synchronize()
            try Directories.rename(places.temporary, to: places.path)
            try Directories.synchronize(Directories.parent(of: places.path))
        }
    }

    /// What has been written stays without a name until the next clean-up.
    func cancel() async {}
}
