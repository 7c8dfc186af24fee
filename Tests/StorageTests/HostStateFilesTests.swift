import Foundation
import MigrationCore
import Storage
import Testing

@Suite struct HostStateFilesTests {
    private let id = String(repeating: "a1", count: 16)
    private let other = String(repeating: "b2", count: 16)

    private func all(of stream: any ByteStream) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let next = try await stream.read() { bytes += next }
        return bytes
    }

    @Test func `what is finished can be read, what is not is no state`() async throws {
        try await withScratch { scratch in
            let states = StateFiles(directory: scratch + "/states")
            #expect(try states.available > .zero)
            let content = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let stream = try await states.write(id)
            try await stream.write(content[..<1_000_000])
            try await stream.write(content[1_000_000...])
            await #expect(throws: GodwitError(.stateUnreadable, "")) {
                _ = try await states.read(id)
            }
            try await stream.finish()
            #expect(try await all(of: states.read(id)) == content)
            let attributes = try FileManager.default.attributesOfItem(
                atPath: scratch + "/states/\(id).state")
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            try await states.remove(id)
            try await states.remove(id)
            #expect(try names(scratch).isEmpty)
        }
    }

    @Test func `what nobody has any more is removed`() async throws {
        try await withScratch { scratch in
            let states = StateFiles(directory: scratch + "/states")
            try states.removeAll(but: [])
            for id in [id, other] { try await states.write(id).finish() }
            // As a daemon leaves it that dies while it writes.
            let third = String(repeating: "c3", count: 16)
            try await states.write(third).write([1, 2, 3])
            try states.removeAll(but: [other, third])
            #expect(try names(scratch) == ["\(other).state"])
            try await states.sync(scratch)
        }
    }

    private func names(_ scratch: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: scratch + "/states").sorted()
    }
}
