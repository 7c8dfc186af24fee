import Foundation
import LinuxHost
import MigrationCore
import Testing

/// Streams that no btrfs has made.
@Suite struct SendStreamTests {
    private static let uuid = [UInt8](repeating: 1, count: 16)
    private static let parent = [UInt8](repeating: 2, count: 16)
    private static let head = Array("btrfs-stream\0".utf8) + [1, 0, 0, 0]

    private func little(_ number: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: number >> UInt64($0 * 8)) }
    }

    private func command(_ kind: UInt64, _ attributes: (UInt64, [UInt8])...) -> [UInt8] {
        let payload = attributes.flatMap { little($0.0, 2) + little(UInt64($0.1.count), 2) + $0.1 }
        return little(UInt64(payload.count), 4) + little(kind, 2) + [0, 0, 0, 0] + payload
    }

    private func path(_ text: String) -> (UInt64, [UInt8]) { (15, Array(text.utf8)) }

    private var begin: [UInt8] {
        Self.head
            + command(2, path("s"), (1, Self.uuid), (2, little(7, 8)), (20, Self.parent))
    }

    private func write(_ name: String, _ text: String) -> [UInt8] {
        command(15, path(name), (18, little(0, 8)), (19, Array(text.utf8)))
    }

    /// Applies a stream to a tree that has a file, a link out of it and a link to the file.
    private func applying(
        _ bytes: [UInt8], _ look: (String) throws -> Void = { _ in }
    ) async throws {
        let scratch = NSTemporaryDirectory() + "godwit-stream-\(UUID().uuidString.prefix(8))"
        let manager = FileManager.default
        for name in ["tree/d", "base"] {
            try manager.createDirectory(
                atPath: "\(scratch)/\(name)", withIntermediateDirectories: true)
        }
        defer { try? manager.removeItem(atPath: scratch) }
        for name in ["tree/file", "base/file", "outside"] {
            try Data(name.utf8).write(to: URL(filePath: "\(scratch)/\(name)"))
        }
        try manager.createSymbolicLink(
            atPath: "\(scratch)/tree/up", withDestinationPath: scratch)
        try manager.createSymbolicLink(
            atPath: "\(scratch)/tree/link", withDestinationPath: "file")
        let hexadecimal = { (digit: String) in String(repeating: "0" + digit, count: 16) }
        let applier = try SendStreamApplier(
            root: "\(scratch)/tree", base: "\(scratch)/base", uuid: hexadecimal("1"),
            parent: hexadecimal("2"))
        defer {
            let outside = try? String(contentsOfFile: "\(scratch)/outside", encoding: .utf8)
            #expect(outside == "outside", "something outside of the tree was changed")
        }
        // In pieces of every size.
        for piece in stride(from: 0, to: bytes.count, by: 7) {
            try applier.apply(Array(bytes[piece..<min(piece + 7, bytes.count)]))
        }
        try applier.finish(modified: FileTime(seconds: 1_000, nanoseconds: 5))
        try look("\(scratch)/tree")
    }

    @Test func `commands change the tree, and the root has the time that was told`() async throws {
        let parts: [[UInt8]] = [
            begin, command(3, path("o1")), command(9, path("o1"), (16, Array("d/new".utf8))),
            write("d/new", "news"), command(17, path("d/new"), (4, little(3, 8))),
            command(18, path("d/new"), (5, little(0o640, 8))),
            command(10, path("hard"), (17, Array("d/new".utf8))),
            command(8, path("soft"), (17, Array("d/new".utf8))),
            command(11, path("file")), command(4, path("e")), command(12, path("e")),
            command(21),
        ]
        let stream = Array(parts.joined())
        try await applying(stream) { tree in
            let hard = try String(contentsOfFile: "\(tree)/hard", encoding: .utf8)
            #expect(hard == "new")
            let names = try Directories.names(in: tree)
            #expect(names == ["d", "hard", "link", "soft", "up"])
            #expect(try FileStatus.of("\(tree)/d/new")?.permissions == 0o640)
            #expect(
                try FileStatus.of(tree)?.modified == FileTime(seconds: 1_000, nanoseconds: 5))
        }
    }

    @Test(arguments: ["../outside", "up/outside", "link", "d", "/outside", "d/../../outside", "no"])
    func `content is written to files of the tree alone`(name: String) async throws {
        await #expect(throws: GodwitError.self) {
            try await applying(begin + write(name, "evil") + command(21))
        }
    }

    @Test(arguments: ["../new", "up/new", "..", "d/..", ".", "d/", "a\0b"])
    func `names are made in the tree alone`(name: String) async throws {
        for kind: UInt64 in [3, 4, 6, 7, 11, 12] {
            await #expect(throws: GodwitError.self, "\(kind)") {
                try await applying(begin + command(kind, path(name)) + command(21))
            }
        }
        await #expect(throws: GodwitError.self) {
            try await applying(
                begin + command(9, path("file"), (16, Array(name.utf8))) + command(21))
        }
    }

    @Test func `permissions of a link are nobody's`() async throws {
        await #expect(throws: GodwitError.self) {
            try await applying(
                begin + command(18, path("link"), (5, little(0o777, 8))) + command(21))
        }
    }

    @Test func `content is only taken from the two snapshots`() async throws {
        let stranger = [UInt8](repeating: 9, count: 16)
        let places = [
            (stranger, "file"), (Self.parent, "../outside"), (Self.uuid, "up/outside"),
        ]
        for (bytes, name) in places {
            let clone = command(
                16, path("file"), (18, little(0, 8)), (20, bytes), (22, Array(name.utf8)),
                (23, little(0, 8)), (24, little(4, 8)))
            await #expect(throws: GodwitError.self) {
                try await applying(begin + clone + command(21))
            }
        }
    }

    private var bad: [[UInt8]] {
        let end = command(21)
        let other = Self.head + command(2, path("s"), (1, Self.parent), (20, Self.parent))
        let whole = Self.head + command(1, path("s"), (1, Self.uuid))
        let newer = Array("btrfs-stream\0".utf8) + [2, 0, 0, 0]
        let rest = Array(begin.dropFirst(17))
        let long = little(1 << 20, 4) + little(15, 2) + [0, 0, 0, 0]
        let cut = little(3, 4) + little(3, 2) + [0, 0, 0, 0, 15, 0, 9]
        let short = little(6, 4) + little(3, 2) + [0, 0, 0, 0, 15, 0, 9, 0, 1, 1]
        let late = little(.max, 8) + [255, 255, 255, 255]
        let times = command(20, path("file"), (11, little(1, 12)), (10, late))
        return [
            [], Self.head, begin, begin + [1, 2, 3], Array("nonsense, and more of it".utf8),
            other + end, whole + end, begin + end + end, begin + command(99) + end,
            Self.head + long, newer + rest + end, begin + cut + end, begin + short + end,
            begin + command(3) + end, begin + command(17, path("file"), (4, [1])), begin + times,
        ]
    }

    @Test func `what is no stream, or not the one that was said, ends it`() async throws {
        for stream in bad {
            await #expect(throws: GodwitError(.protocolViolation, ""), "\(stream.suffix(30))") {
                try await applying(stream)
            }
        }
    }
}
