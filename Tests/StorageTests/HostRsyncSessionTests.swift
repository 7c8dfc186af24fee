import Foundation
import LinuxHost
import MigrationCore
import Storage
import Testing

/// How the two ends of a pass end when one of them does not behave.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(1)))
struct HostRsyncSessionTests {
    private func receiving(
        _ body: (any ByteStream, String) async throws -> Void
    ) async throws -> GodwitError? {
        try await withScratch { scratch in
            let (one, other) = MemoryStream.pair()
            try Directories.make(scratch + "/target", mode: 0o755)
            async let received = failure {
                try await RsyncTransfer.receive(
                    into: scratch + "/target", tolerant: false, from: other)
            }
            try await body(one, scratch)
            return await received
        }
    }

    private func answers(_ stream: any ByteStream) async -> [SessionFrame] {
        var frames = SessionFrameReader(stream)
        var answers: [SessionFrame] = []
        while let frame = try? await frames.next() { answers.append(frame) }
        return answers
    }

    @Test func `a peer that speaks no rsync is told so`() async throws {
        let error = try await receiving { stream, _ in
            let nonsense = SessionFrame.data(Array("GET / HTTP/1.0\n\n".utf8))
            try await stream.write(nonsense.encoded[...])
            try await stream.write(SessionFrame.end.encoded[...])
            let last = await answers(stream).last
            guard case .failed = last else {
                Issue.record("\(String(describing: last))")
                return
            }
        }
        #expect(error != nil)
    }

    @Test(
        arguments: [
            [9, 0, 0, 0, 0], [2, 0xff, 0xff, 0xff, 0xff], [0, 0, 0, 0, 0],
        ] as [[UInt8]])
    func `a frame that there is not ends the pass`(bytes: [UInt8]) async throws {
        let error = try await receiving { stream, _ in
            try await stream.write(bytes[...])
            _ = await answers(stream)
        }
        #expect(error?.code == .protocolViolation)
    }

    @Test func `a peer that goes away ends the pass`() async throws {
        let error = try await receiving { stream, _ in try await stream.finish() }
        #expect(error?.code == .linkLost)
        let cut = try await receiving { stream, _ in await stream.cancel() }
        #expect(cut?.code == .linkLost)
    }

    @Test func `paths to distrust only reach what lies below the volume`() async throws {
        let error = try await receiving { stream, scratch in
            try write("x", to: scratch + "/outside")
            try await shell(
                "cd $1; touch -d 2020-02-02 outside; ln -s $1 target/up; "
                    + "ln -s $1/outside target/link",
                scratch)
            let paths = ["../outside", "up/outside", "link", scratch + "/outside", "", "."]
            let frame = SessionFrame.distrust(paths.map { Array($0.utf8) })
            try await stream.write(frame.encoded[...])
            let own = GodwitError(.toolFailed, "the source gave up", cause: "for a test")
            try await stream.write(SessionFrame.failed(own).encoded[...])
            _ = await answers(stream)
            #expect(try await shell("stat -c %Y $1/outside", scratch) == "1580601600\n")
        }
        #expect(error?.message == "the other host: the source gave up")
        #expect(error?.cause == "for a test")
    }

    @Test(arguments: [
        ["--server", "--sender", "-logDtpr", ".", "volume/"],
        ["--server", "-logDtpre.iLsfx", "--inplace", ".", "volume/"],
        ["--server", "-logDtpre.iLsfx", "--log-file=/tmp/evil", ".", "volume/"],
        ["--server", "-logDtpre.iLsfx", "--remove-source-files", ".", "volume/"],
        ["--server", "-logDtpLre.iLsfx", ".", "volume/"],
    ])
    func `options beyond our own are refused by the target`(words: [String]) async throws {
        let error = try await receiving { stream, scratch in
            let greeting = "@RSYNCD: 31.0 md5 md4\nvolume\n"
            let line = greeting + words.joined(separator: "\n") + "\n\n"
            try await stream.write(SessionFrame.data(Array(line.utf8)).encoded[...])
            try await stream.write(SessionFrame.end.encoded[...])
            _ = await answers(stream)
            #expect(try Directories.names(in: scratch + "/target") == [])
        }
        #expect(error != nil)
    }

    @Test func `cancelling ends both ends and leaves no process`() async throws {
        try await withScratch { scratch in
            let pair = try await PoolPair(Pairing.all[0], scratch, target: scratch + "/b")
            try await shell("head -c 64M /dev/urandom > $1/big", pair.here)
            let (one, other) = MemoryStream.pair()
            let sending = Task {
                try await pair.source.sendWhileRunning("v", by: .rsync, over: one) { _ in }
            }
            // Nobody reads the other end: the source stands with its rsync at work.
            while one.sent == 0 { await Task.yield() }
            sending.cancel()
            await #expect(throws: CancellationError.self) { try await sending.value }
            await #expect(throws: GodwitError.self) { while try await other.read() != nil {} }
            let left = try await shell("pgrep -P $1 rsync || :", String(getpid()))
            #expect(left == "")
        }
    }

    @Test func `a source that has gone is an error at both ends`() async throws {
        try await withScratch { scratch in
            let (one, other) = MemoryStream.pair()
            try Directories.make(scratch + "/target", mode: 0o755)
            async let received = failure {
                try await RsyncTransfer.receive(
                    into: scratch + "/target", tolerant: true, from: other)
            }
            let sent = await failure {
                try await RsyncTransfer.send(
                    scratch + "/none", distrusting: [], tolerant: true, over: one
                ) { _ in }
            }
            #expect(sent?.code == .notFound)
            #expect(await received?.code == .notFound)
        }
    }

    @Test func `of a large file that the link cut short only the rest is sent`() async throws {
        try await PoolPair.with(Pairing(source: .directory, target: .directory)) { pair in
            try await shell("head -c 64M /dev/urandom > $1/big", pair.here)
            let error = await failure { try await pair.firstPass(cutAfter: 48 << 20) }
            #expect(error?.code == .linkLost)
            #expect(try Directories.names(in: pair.there) == ["big"])
            let again = try await pair.firstPass()
            #expect(again < 40 << 20, "\(again)")
            try await pair.delta()
            try await pair.expectEqual()
            try await pair.expectClean()
        }
    }

    /// As a running instance may do it between our look at its tree and that of rsync.
    @Test(arguments: [["./d/", "./d/secret"], ["./d/secret"], ["./d/../../host/secret"], nil])
    func `a link in the place of a directory leads to nothing of the host's`(
        places: [String]?
    ) async throws {
        try await withScratch { scratch in
            for name in ["host", "tree", "target"] {
                try Directories.make("\(scratch)/\(name)", mode: 0o755)
            }
            try await shell("echo $1 > $1/host/secret; ln -s $1/host $1/tree/d", scratch)
            let (one, other) = MemoryStream.pair()
            async let received = failure {
                try await RsyncTransfer.receive(
                    into: scratch + "/target", tolerant: true, from: other)
            }
            try await RsyncTransfer.send(
                scratch + "/tree", distrusting: [], places: places?.map { Array($0.utf8) },
                tolerant: true, over: one
            ) { _ in }
            #expect(await received == nil)
            let leaked = try await shell("grep -r host $1/target || :", scratch)
            #expect(leaked == "")
        }
    }

    @Test func `frames read back as they were written, however they are cut`() async throws {
        let frames: [SessionFrame] = [
            .distrust([[0x61], [0xff, 0x0a]]), .data([1, 2, 3]), .data([]), .end,
        ]
        let (one, other) = MemoryStream.pair()
        let bytes = frames.flatMap(\.encoded)
        for byte in bytes { try await one.write([byte]) }
        try await one.finish()
        #expect(await answers(other) == frames)
    }
}
