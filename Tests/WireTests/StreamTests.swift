import Crypto
import Foundation
import MigrationCore
import NIOCore
import Synchronization
import Testing
import Wire

/// Streams of bytes over real TLS on 127.0.0.1.
@Suite struct StreamTests {
    @Test(.timeLimit(.minutes(1)))
    private func `64 MiB arrive as they were sent, and the answer comes back after the end`()
        async throws
    {
        let acceptor = TestAcceptor(stream: { stream in
            try? await answerWithDigest(stream)
        })
        try await Pair.with(acceptor) { pair in
            let stream = try await pair.openStream()
            var (random, digest) = (Seeded(state: 64), SHA256())
            let block = (0..<(1 << 20) + 7).map { _ in UInt8.random(in: 0...255, using: &random) }
            for turn in 0..<64 {
                let slice = block[turn...]
                digest.update(data: Array(slice))
                try await stream.write(slice)
            }
            try await stream.finish()
            #expect(try await readAll(stream) == Array(digest.finalize()))
        }
    }

    @Test private func `the listener knows who called and what for`() async throws {
        let seen = Mutex<(StreamHello, PeerIdentity)?>(nil)
        let acceptor = TestAcceptor(seen: { hello, peer in seen.withLock { $0 = (hello, peer) } })
        try await Pair.with(acceptor) { pair in
            _ = try await pair.openStream()
            #expect(await eventually { seen.withLock { $0 != nil } })
            let (hello, peer) = try #require(seen.withLock { $0 })
            #expect(hello == StreamHello(migration: pair.migration, purpose: .volume("root")))
            #expect(peer == PeerIdentity(fingerprint: pair.source.fingerprint, name: "source"))
        }
    }

    /// Each takes a lock of its own and wants the other's: a task that is cancelled, and a reader
    /// that is woken.
    @Test(.timeLimit(.minutes(1)))
    private func `a reader is cancelled in the moment in which the peer ends`() async throws {
        let acceptor = TestAcceptor(stream: { stream in
            _ = try? await stream.read()
            try? await stream.finish()
        })
        try await Pair.with(acceptor) { pair in
            for _ in 0..<400 {
                let stream = try await pair.openStream()
                let reader = Task { try? await stream.read() }
                try await stream.write([1])
                try? await Task.sleep(for: .microseconds(.random(in: 0..<300)))
                reader.cancel()
                _ = await reader.value
                await stream.cancel()
            }
        }
    }

    @Test private func `the target may speak first and end first`() async throws {
        let got = Mutex<[UInt8]?>(nil)
        let acceptor = TestAcceptor(stream: { stream in
            try? await stream.write([1, 2, 3])
            try? await stream.finish()
            let bytes = try? await readAll(stream)
            got.withLock { $0 = bytes }
        })
        try await Pair.with(acceptor) { pair in
            let stream = try await pair.openStream()
            #expect(try await readAll(stream) == [1, 2, 3])
            try await stream.write([4, 5])
            try await stream.finish()
            #expect(await eventually { got.withLock { $0 == [4, 5] } })
            #expect(await eventually { pair.accepted.openCount == 0 })
        }
    }

    @Test private func `both ends said, the connection is gone without anybody closing it`()
        async throws
    {
        try await Pair.with(TestAcceptor(stream: { try? await $0.finish() })) { pair in
            let stream = try await pair.openStream()
            try await stream.finish()
            try await stream.finish()
            #expect(try await stream.read() == nil)
            #expect(await eventually { pair.accepted.openCount == 0 })
        }
    }

    @Test private func `a slow reader stops the writer`() async throws {
        let gate = Mutex(false)
        let read = Mutex(0)
        let acceptor = TestAcceptor(stream: { stream in
            _ = await eventually { gate.withLock { $0 } }
            let count = (try? await readAll(stream).count) ?? 0
            read.withLock { $0 = count }
            try? await stream.finish()
        })
        try await Pair.with(acceptor) { pair in
            let pump = Pump(try await pair.openStream(), pieces: 1_024)
            async let ended = pump.run()
            let stopped = await settled { pump.pushed }
            // 1 MiB in flight, 1 MiB in the reader's inbox, the rest is in the kernel's buffers.
            #expect(stopped > 0 && stopped < 32 << 20, "\(stopped) bytes went to nobody")
            gate.withLock { $0 = true }
            #expect(await ended == nil)
            #expect(await eventually { read.withLock { $0 == 256 << 20 } })
        }
    }

    @Test private func `a bandwidth holds for all streams of a migration`() async throws {
        let acceptor = TestAcceptor(stream: { stream in
            _ = try? await readAll(stream)
            try? await stream.finish()
        })
        try await Pair.with(acceptor) { pair in
            let start = ContinuousClock.now
            try await withThrowingTaskGroup { group in
                for _ in 0..<2 {
                    group.addTask {
                        let stream = try await pair.openStream(bandwidth: .mebibytes(4))
                        try await stream.write([UInt8](repeating: 1, count: 1 << 20)[...])
                        try await stream.finish()
                    }
                }
                try await group.waitForAll()
            }
            // 2 MiB less the burst at 4 MiB/s; a faster end would be a throttle that does not.
            #expect(ContinuousClock.now - start > .milliseconds(380))
        }
    }

    @Test private func `a changed bandwidth holds at once, also for who waits by the old one`()
        async throws
    {
        let acceptor = TestAcceptor(stream: { stream in
            _ = try? await readAll(stream)
            try? await stream.finish()
        })
        try await Pair.with(acceptor) { pair in
            let stream = try await pair.openStream(bandwidth: .mebibytes(4))
            try await stream.write([UInt8](repeating: 1, count: 400 << 10)[...])
            pair.dialer.setBandwidth(ByteCount(bytes: 1_024), of: pair.migration)
            async let second: Void = stream.write([UInt8](repeating: 2, count: 1 << 20)[...])
            let lowered = ContinuousClock.now
            try await Task.sleep(for: .milliseconds(600))
            let change = ContinuousClock.now
            pair.dialer.setBandwidth(nil, of: pair.migration)
            try await second
            // At 4 MiB/s it would have been through long before.
            #expect(ContinuousClock.now - lowered > .milliseconds(590))
            // At 1 KiB/s it would be a quarter of an hour.
            #expect(ContinuousClock.now - change < .seconds(60))
            try await stream.finish()
        }
    }

    @Test private func `a failure travels to whoever reads`() async throws {
        let acceptor = TestAcceptor(stream: { stream in
            try? await stream.write([9])
            await (stream as? DataStream)?.fail(GodwitError(.noSpace, "the pool is full"))
        })
        try await Pair.with(acceptor) { pair in
            let stream = try await pair.openStream()
            let error = await failure { _ = try await readAll(stream) }
            #expect(error?.code == .noSpace)
            #expect(error?.message == "the pool is full")
            #expect(await code { try await stream.write([1]) } == .noSpace)
        }
    }

    @Test private func `a failure arrives even while the other side sends at full speed`()
        async throws
    {
        let acceptor = TestAcceptor(stream: { stream in
            _ = try? await stream.read()
            await (stream as? DataStream)?.fail(GodwitError(.noSpace, "the pool is full"))
        })
        try await Pair.with(acceptor) { pair in
            let stream = try await pair.openStream()
            let piece = [UInt8](repeating: 7, count: 256 << 10)
            let error = await code { while true { try await stream.write(piece[...]) } }
            #expect(error == .noSpace)
        }
    }

    @Test private func `cancelling ends both directions here and there`() async throws {
        let ended = Mutex<GodwitError.Code?>(nil)
        let acceptor = TestAcceptor(stream: { stream in
            let seen = await code { try await readAll(stream) }
            ended.withLock { $0 = seen }
        })
        try await Pair.with(acceptor) { pair in
            let stream = try await pair.openStream()
            async let reading = code { try await stream.read() }
            await stream.cancel()
            await stream.cancel()
            #expect(await reading == .cancelled)
            #expect(await code { try await stream.write([1]) } == .cancelled)
            #expect(await eventually { ended.withLock { $0 == .cancelled } })
        }
    }

    @Test private func `a cancelled task does not wait for the peer`() async throws {
        let acceptor = TestAcceptor(stream: { _ = try? await $0.read() })
        try await Pair.with(acceptor) { pair in
            let stream = try await pair.openStream()
            let reading = Task { await code { try await stream.read() } }
            reading.cancel()
            #expect(await reading.value == .cancelled)
        }
    }

    @Test private func `an acceptor that returns early gives the stream up, and the peer knows`()
        async throws
    {
        try await Pair.with(TestAcceptor()) { pair in
            let stream = try await pair.openStream()
            #expect(await code { try await readAll(stream) } == .cancelled)
        }
    }

    @Test private func `a cut link is lost for readers and writers of both ends`() async throws {
        let ended = Mutex<GodwitError.Code?>(nil)
        let acceptor = TestAcceptor(stream: { stream in
            let seen = await code { try await readAll(stream) }
            ended.withLock { $0 = seen }
        })
        try await Pair.with(acceptor) { pair in
            let stream = try await pair.openStream()
            try await stream.write([1])
            pair.accepted.cut()
            let error = await failure { try await stream.read() }
            #expect(error?.code == .linkLost)
            #expect(error?.message.contains("target (127.0.0.1:\(pair.port))") == true)
            #expect(await code { try await stream.write([1]) } == .linkLost)
            #expect(await code { try await stream.finish() } == .linkLost)
            #expect(await eventually { ended.withLock { $0 == .linkLost } })
        }
    }

    @Test private func `a writer that waits for room learns of a cut link`() async throws {
        let acceptor = TestAcceptor(stream: { stream in
            _ = await eventually { Task.isCancelled }
            await stream.cancel()
        })
        try await Pair.with(acceptor) { pair in
            let pump = Pump(try await pair.openStream(), pieces: .max)
            async let ended = pump.run()
            _ = await settled { pump.pushed }
            pair.accepted.cut()
            #expect(await ended == .linkLost)
        }
    }

    /// The value once it has not changed for a while (200 ms, a reader would have moved it).
    private func settled(_ value: () -> Int) async -> Int {
        var (last, same) = (value(), 0)
        while same < 40 || last == 0 {
            try? await Task.sleep(for: .milliseconds(5))
            let now = value()
            same = now == last ? same + 1 : 0
            last = now
        }
        return last
    }
}

/// Writes as fast as it is let, and counts.
private final class Pump: Sendable {
    private let stream: any ByteStream
    private let pieces: Int
    private let count = Mutex(0)

    init(_ stream: any ByteStream, pieces: Int) {
        self.stream = stream
        self.pieces = pieces
    }

    var pushed: Int { count.withLock { $0 } }

    /// The error that ended it, nil if all was written.
    func run() async -> GodwitError.Code? {
        let piece = [UInt8](repeating: 7, count: 256 << 10)
        return await code {
            for _ in 0..<pieces {
                try await stream.write(piece[...])
                count.withLock { $0 += piece.count }
            }
            try await stream.finish()
        }
    }
}

func readAll(_ stream: any ByteStream) async throws -> [UInt8] {
    var all: [UInt8] = []
    while let bytes = try await stream.read() {
        #expect(!bytes.isEmpty && bytes.count <= Int(Limit.frame.bytes))
        all += bytes
    }
    return all
}

private func answerWithDigest(_ stream: any ByteStream) async throws {
    var digest = SHA256()
    while let bytes = try await stream.read() { digest.update(data: bytes) }
    try await stream.write(Array(digest.finalize())[...])
    try await stream.finish()
}
