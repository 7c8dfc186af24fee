import Foundation
import LinuxHost
import MigrationCore
import Pages
import Synchronization
import TestSupport
import Testing

@Suite struct CheckpointStreamTests {
    private let samples: [String: [UInt8]] = [
        "core-1.img": Array("registers".utf8), "empty.img": [],
        "pages-1.img": (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) },
        "descriptors.json": Array("[]".utf8),
    ]

    @Test func `what is sent arrives, with one digest, and is gone from the source`() async throws {
        try await Directories.with { source, target in
            try source.fill(samples)
            let stream = MemoryStream()
            async let sent = CheckpointWriter(directory: source.path).send(over: stream) { _ in }
            let received = try await CheckpointReader(directory: target.path)
                .receive(from: stream) { _ in }
            let left = try await sent
            #expect(left.digest == received.digest)
            #expect(left.bytes == received.bytes)
            #expect(left.bytes.bytes == UInt64(samples.values.map(\.count).reduce(0, +)))
            #expect(try target.content() == samples)
            #expect(try source.content() == [:])
        }
    }

    @Test func `what is sent ahead is told at once and counts as the rest does`() async throws {
        try await Directories.with { source, target in
            try source.fill(["b": [7]])
            let stream = MemoryStream()
            let writer = CheckpointWriter(directory: source.path)
            try await writer.sendAhead("b", over: stream)
            #expect(try source.content() == [:])
            let told = Mutex<[String]>([])
            async let received = CheckpointReader(directory: target.path).receive(
                from: stream, arrived: { name in told.withLock { $0.append(name) } },
                progress: { _ in })
            try await eventually("the file is told") { told.withLock { $0 } == ["b"] }
            try source.fill(["a": [1, 2]])
            let sent = try await writer.send(over: stream) { _ in }
            #expect(try await received == sent)
            #expect(told.withLock { $0 } == ["b", "a"] && sent.bytes.bytes == 3)
            #expect(try target.content() == ["a": [1, 2], "b": [7]])
        }
    }

    @Test func `the stream is these bytes`() async throws {
        try await Directories.with { source, target in
            try source.fill(["b": [7], "a": []])
            let stream = MemoryStream()
            _ = try await CheckpointWriter(directory: source.path).send(over: stream) { _ in }
            let golden: [UInt8] = [
                0x47, 0x44, 0x43, 0x50, 1, 0, 0, 0,
                1, 0, 0x61, 0, 0, 0, 0, 0, 0, 0, 0,
                1, 0, 0x62, 1, 0, 0, 0, 0, 0, 0, 0, 7,
                0, 0, 2, 0, 0, 0,
            ]
            #expect(await stream.written == golden)
            _ = try await receive(golden, inPiecesOf: 1, into: target)
            #expect(try target.content() == ["a": [], "b": [7]])
        }
    }

    @Test func `digests differ when a name or a content does`() async throws {
        var digests: Set<String> = []
        let variants: [[String: [UInt8]]] = [
            ["a": [1]], ["b": [1]], ["a": [2]], ["a": [1], "b": []], ["a": []], [:],
        ]
        for variant in variants {
            try await Directories.with { source, _ in
                try source.fill(variant)
                digests.insert(
                    try await CheckpointWriter(directory: source.path)
                        .send(over: MemoryStream()) { _ in }.digest)
            }
        }
        #expect(digests.count == variants.count)
    }

    @Test func `every cut is an error that says that the link was lost`() async throws {
        let bytes = try await recorded(["a": [1, 2, 3], "bc": []])
        for length in 0..<bytes.count {
            try await Directories.with { _, target in
                await #expect(throws: GodwitError(.linkLost, "")) {
                    try await receive(Array(bytes.prefix(length)), into: target)
                }
            }
        }
    }

    @Test(arguments: ["", ".", "..", ".hidden", "a/b", "/etc/passwd", "a\0b", "ä", "a b"])
    func `a name that is not plain is refused`(name: String) async throws {
        var bytes = head
        bytes += [UInt8(name.utf8.count), 0] + Array(name.utf8) + [UInt8](repeating: 0, count: 8)
        try await refuses(bytes + [9, 9], .protocolViolation)
    }

    @Test
    func `a name that comes twice, or a count that is wrong, or more after the end is refused`()
        async throws
    {
        let one: [UInt8] = [1, 0, 0x61] + [UInt8](repeating: 0, count: 8)
        try await refuses(head + one + one, .protocolViolation)
        try await refuses(head + one + [0, 0, 2, 0, 0, 0], .protocolViolation)
        try await refuses(head + one + [0, 0, 1, 0, 0, 0, 0], .protocolViolation)
        try await refuses([0x47, 0x44, 0x43, 0x51, 1, 0, 0, 0], .protocolViolation)
        try await refuses([0x47, 0x44, 0x43, 0x50, 2, 0, 0, 0], .peerIncompatible)
        try await refuses(head + [0, 1], .protocolViolation)
    }

    @Test func `a file larger than the limit is refused before it is made`() async throws {
        let size = Limit.checkpointFile.bytes + 1
        let bytes =
            head + [1, 0, 0x61] + (0..<8).map { UInt8(truncatingIfNeeded: size >> (8 * $0)) }
        try await refuses(bytes, .limitExceeded)
    }

    @Test func `more files than the limit are refused`() async throws {
        var bytes = head
        for number in 0...Limit.checkpointFiles {
            let name = Array(String(number).utf8)
            bytes += [UInt8(name.count), 0] + name + [UInt8](repeating: 0, count: 8)
        }
        try await refuses(bytes, .limitExceeded)
    }

    @Test func `mutations end in an error of ours or in files inside the directory`() async throws {
        let bytes = try await recorded(["core-1.img": [1, 2, 3], "pages-1.img": [4, 5, 6, 7]])
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            var mutated = bytes
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                mutated[Int.random(in: 0..<mutated.count, using: &generator)] =
                    UInt8.random(in: .min ... .max, using: &generator)
            }
            try await Directories.with { _, target in
                do {
                    _ = try await receive(mutated, into: target)
                } catch let error as GodwitError {
                    let expected: [GodwitError.Code] = [
                        .linkLost, .protocolViolation, .limitExceeded, .peerIncompatible,
                    ]
                    #expect(expected.contains(error.code), "\(error) for \(mutated)")
                }
            }
        }
    }

    private let head: [UInt8] = [0x47, 0x44, 0x43, 0x50, 1, 0, 0, 0]

    private func recorded(_ files: [String: [UInt8]]) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        try await Directories.with { source, _ in
            try source.fill(files)
            let stream = MemoryStream()
            _ = try await CheckpointWriter(directory: source.path).send(over: stream) { _ in }
            bytes = await stream.written
        }
        return bytes
    }

    private func refuses(_ bytes: [UInt8], _ code: GodwitError.Code) async throws {
        try await Directories.with { _, target in
            await #expect(throws: GodwitError(code, "")) {
                try await receive(bytes, into: target)
            }
        }
    }

    private func receive(
        _ bytes: [UInt8], inPiecesOf size: Int = 1 << 20, into target: Directories.Directory
    ) async throws -> String {
        let stream = MemoryStream(saying: bytes, inPiecesOf: size)
        return try await CheckpointReader(directory: target.path).receive(from: stream) { _ in }
            .digest
    }
}

/// Two empty directories for the duration of a test.
private enum Directories {
    struct Directory {
        let path: String

        func fill(_ files: [String: [UInt8]]) throws {
            for (name, bytes) in files {
                try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
            }
        }

        func content() throws -> [String: [UInt8]] {
            var files: [String: [UInt8]] = [:]
            for name in try FileManager.default.contentsOfDirectory(atPath: path) {
                files[name] = Array(try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)")))
            }
            return files
        }
    }

    static func with(_ body: (Directory, Directory) async throws -> Void) async throws {
        let base = NSTemporaryDirectory() + "gwt-pages-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: base) }
        let directories = ["source", "target"].map { Directory(path: "\(base)/\($0)") }
        for directory in directories { try SmallFile.makeDirectory(directory.path) }
        try await body(directories[0], directories[1])
    }
}
