import Foundation
import LinuxHost
import MigrationCore

/// CRIU's `pagemap-PID.img`: which pages lie in its page images.
///
///     magic u32 · magic u32 · { size u32 · protobuf message } ...
///
/// The first message is a head, each other one a run of pages: 1 address, 2 or 5 count, 4 flags (1
/// in the parent, 2 lazy, 4 present).
package enum PagemapImages {
    /// Has CRIU restore all that lies in its images itself. Without this a restore with lazy pages
    /// leaves out pages that are marked lazy, and those that we carry are not in the images.
    ///
    /// - Returns: the lazy pages that were in the images: none if CRIU saw nothing of what we
    ///   carry.
    @discardableResult
    package static func makeEager(in directory: String) throws -> [TaskID: [PageRun]] {
        var found: [TaskID: [PageRun]] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: directory) {
            guard name.hasPrefix("pagemap-"), name.hasSuffix(".img"),
                let pid = Int32(name.dropFirst(8).dropLast(4)), pid > 0
            else { continue }
            var image = try PagemapImage(path: "\(directory)/\(name)")
            let runs = try image.makeEager()
            guard !runs.isEmpty else { continue }
            try image.write()
            found[TaskID(pid)] = runs
        }
        return found
    }
}

private struct PagemapImage {
    private let path: String
    private var bytes: [UInt8]

    init(path: String) throws {
        self.path = path
        bytes = try Array(Data(contentsOf: URL(fileURLWithPath: path)))
        guard number(at: 0) == 0x5456_4319, number(at: 4) == 0x5608_4025 else { throw unknown() }
    }

    func write() throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    mutating func makeEager() throws -> [PageRun] {
        var runs: [PageRun] = []
        var at = 8
        var isHead = true
        while at < bytes.count {
            guard let size = number(at: at), at + 4 + Int(size) <= bytes.count else {
                throw unknown()
            }
            let message = at + 4..<at + 4 + Int(size)
            if !isHead, let run = try makeEager(message) { runs.append(run) }
            isHead = false
            at = message.upperBound
        }
        return runs
    }

    /// Clears the flag in place: it is the same varint with another low bit.
    private mutating func makeEager(_ message: Range<Int>) throws -> PageRun? {
        var address: UInt64 = 0
        var count: UInt64 = 0
        var flags: (at: Int, value: UInt64) = (0, 0)
        guard let fields = CriuMessage.fields(of: bytes[message]) else { throw unknown() }
        for field in fields {
            // Fields that are no numbers belong to a newer format.
            guard case .number(let field, let value, let at) = field else { throw unknown() }
            switch field {
            case 1: address = value
            case 2, 5: count = value
            case 4: flags = (at, value)
            default: break
            }
        }
        guard flags.value & Self.lazy != 0 else { return nil }
        bytes[flags.at] &= ~UInt8(Self.lazy)
        guard count > 0, count <= UInt64(Int32.max), address % UInt64(PageRun.pageSize) == 0 else {
            throw unknown()
        }
        return PageRun(address: address, count: Int(count))
    }

    private func number(at index: Int) -> UInt32? {
        guard index + 4 <= bytes.count else { return nil }
        return bytes[index..<index + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    private func unknown() -> GodwitError { .unknownImage(path) }

    private static let lazy: UInt64 = 2
}
