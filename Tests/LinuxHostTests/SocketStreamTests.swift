import LinuxHost
import MigrationCore
import TestSupport
import Testing

@Suite struct SocketStreamTests {
    private func all(of stream: any ByteStream) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let next = try await stream.read() { bytes += next }
        return bytes
    }

    @Test func `what one end writes the other reads, more than fits on the way`() async throws {
        let (one, two) = try SocketStream.pair()
        let (near, far) = (SocketStream(one), SocketStream(two))
        let sent = (0..<20_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        async let received = all(of: far)
        try await near.write(sent[...])
        try await near.finish()
        #expect(try await received == sent)
    }

    @Test func `a cancelled stream ends a read that waits`() async throws {
        let (one, two) = try SocketStream.pair()
        let (near, far) = (SocketStream(one), SocketStream(two))
        async let received = all(of: far)
        await far.cancel()
        #expect(try await received.isEmpty)
        await #expect(throws: GodwitError.self) {
            while true { try await near.write([1, 2, 3]) }
        }
    }

    @Test func `a relay carries both directions to their ends`() async throws {
        let (a, b) = try SocketStream.pair()
        let (c, d) = try SocketStream.pair()
        async let relayed: Void = SocketStream(b).relay(SocketStream(c))
        let (near, far) = (SocketStream(a), SocketStream(d))
        try await near.write(Array("there".utf8)[...])
        try await near.finish()
        #expect(try await all(of: far) == Array("there".utf8))
        try await far.write(Array("back".utf8)[...])
        try await far.finish()
        #expect(try await all(of: near) == Array("back".utf8))
        try await relayed
    }

    @Test func `a relay ends both when one breaks`() async throws {
        let broken = MemoryStream()
        await broken.cancel()
        let (one, two) = try SocketStream.pair()
        let near = SocketStream(one)
        await #expect(throws: GodwitError.self) { try await SocketStream(two).relay(broken) }
        #expect(try await near.read() == nil)
    }
}
