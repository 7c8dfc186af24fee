import Foundation
import LinuxHost
import MigrationCore
import Storage
import Testing

/// Passes between two btrfs pools by their own streams.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(1)))
struct HostBtrfsPassTests {
    private static let pairing = Pairing(source: .btrfs, target: .btrfs)

    @Test func `passes leave two snapshots at each end, and the delta needs no other`() async throws
    {
        try await PoolPair.with(Self.pairing) { pair in
            func counts() throws -> [Int] {
                try [pair.here, pair.there].map { tree in
                    let names = try Directories.names(in: Directories.parent(of: tree))
                    return names.count { $0.hasPrefix("pass-") }
                }
            }
            try await pair.firstPass()
            for number in 1...3 {
                try await shell(
                    "echo \(number) > $1/file; rm -f $1/f*; echo > $1/f\(number)", pair.here)
                try await pair.nextPass()
                #expect(try counts() == [2, 2])
            }
            try await shell("echo last > $1/file", pair.here)
            try await pair.delta()
            // The source has made one more, of what it has sent.
            #expect(try counts() == [3, 2])
            try await pair.expectEqual()
            try await pair.expectClean()
        }
    }

    @Test func `each delta builds upon the one before, in the same root`() async throws {
        try await PoolPair.with(Self.pairing) { pair in
            try await shell("head -c 4M /dev/urandom > $1/big; echo 1 > $1/small", pair.here)
            try await pair.firstPass()
            let root = try FileStatus.of(pair.there)?.key
            for round in 1...3 {
                // Content that is shared with the snapshot before, with itself, moved and cut.
                try await shell(
                    """
                    cd $1; mkdir -p d$2/e; cp --reflink=always big d$2/copy; echo $2 >> small
                    cp --reflink=always d$2/copy d$2/e/again; truncate -s 1M big; mv small d$2/s
                    cp d$2/s small; ln small d$2/link; truncate -s 4M big; rm -f d1/copy
                    head -c 64K /dev/urandom | dd of=big bs=64K seek=3 conv=notrunc status=none
                    """, pair.here, "\(round)")
                #expect(try await pair.source.hasChanged("v", mapped: []))
                let bytes = try await pair.delta()
                // What became a hole travels as zeros, what is shared does not.
                #expect(bytes < 4 << 20)
                // Before anything is read: access times count as changes.
                #expect(try await !pair.source.hasChanged("v", mapped: []))
                try await pair.expectEqual()
            }
            #expect(try FileStatus.of(pair.there)?.key == root)
            try await pair.expectClean()
        }
    }

    @Test func `a first pass that is sent again brings only what is new`() async throws {
        try await PoolPair.with(Self.pairing) { pair in
            try await shell("head -c 8M /dev/urandom > $1/big", pair.here)
            #expect(try await pair.firstPass() > 8 << 20)
            try await shell("echo more > $1/more", pair.here)
            #expect(try await pair.firstPass() < 1 << 20)
            try await pair.delta()
            try await pair.expectEqual()
            try await pair.expectClean()
        }
    }

    @Test func `a snapshot that both sides have is built upon`() async throws {
        try await PoolPair.with(Self.pairing) { pair in
            let pools = try #require(pair.source as? any VolumeSnapshotting)
            let kept = try #require(pair.target as? any VolumeSnapshotting)
            try await shell("head -c 8M /dev/urandom > $1/big", pair.here)
            try await pools.createSnapshot("daily", of: "v")
            try await shell(
                "mkdir -m 700 $2; btrfs send -q $1 | btrfs receive -q $2",
                pools.path(of: "daily", in: "v"),
                Directories.parent(of: kept.path(of: "daily", in: "v")))
            try await shell("echo more > $1/more", pair.here)
            #expect(try await pair.firstPass() < 1 << 20)
            try await pair.delta()
            try await pair.expectEqual()
            #expect(try await kept.snapshots(of: "v") == ["daily"])
        }
    }

    @Test func `an interrupted delta is an error at both ends and can be sent again`() async throws
    {
        try await PoolPair.with(Self.pairing) { pair in
            try await shell("echo 1 > $1/first; echo 1 > $1/file", pair.here)
            try await pair.firstPass()
            try await shell(
                "cd $1; mv first z; for i in {1..200}; do echo $i > a$i; done; "
                    + "head -c 8M /dev/urandom > b; rm file", pair.here)
            let error = await failure { try await pair.delta(cutAfter: 3 << 20) }
            #expect(error?.code == .linkLost)
            try await pair.delta()
            try await pair.expectEqual()
            try await pair.expectClean()
        }
    }

    @Test func `a delta for which there is no room says so at both ends`() async throws {
        try await withScratch { scratch in
            let pair = try await PoolPair(
                Self.pairing, scratch, target: "\(scratch)/b", targetSize: Limit.smallestPool)
            try await shell("echo x > $1/x", pair.here)
            try await pair.firstPass()
            try await shell(
                "cat /dev/zero > $1/filler 2>/dev/null || sync -f $1", pair.there + "/../..")
            try await shell("head -c 8M /dev/urandom > $1/big", pair.here)
            let error = await failure { try await pair.delta() }
            #expect(error?.code == .noSpace)
        }
    }

    @Test func `compressed data travels as it is`() async throws {
        try await PoolPair.with(Self.pairing) { pair in
            try await shell(
                "touch $1/c; btrfs property set $1/c compression zstd; "
                    + "yes 0123456789 | head -c 32M > $1/c; sync -f $1", pair.here)
            #expect(try await pair.firstPass() < 4 << 20)
            try await pair.delta()
            try await pair.expectEqual()
        }
    }

    @Test func `subvolumes in a volume are refused with the reason, and deleted with it`()
        async throws
    {
        try await PoolPair.with(Self.pairing) { pair in
            try await shell(
                "btrfs -q subvolume create $1/a; mkdir $1/a/b; btrfs -q subvolume create $1/a/b/c; "
                    + "btrfs -q subvolume snapshot -r $1/a $1/a/b/d; echo x > $1/a/b/c/x", pair.here
            )
            let error = await failure { try await pair.firstPass() }
            #expect(error?.code == .badRequest)
            #expect(error?.message.contains("subvolumes") == true)
            try await pair.source.deleteVolume("v")
            let place = Directories.parent(of: pair.here)
            let left = try await shell("btrfs subvolume list $1", Directories.parent(of: place))
            #expect(left == "")
        }
    }

    @Test func `what a daemon that was killed has left goes when the pool is opened`() async throws
    {
        try await withScratch { scratch in
            let pair = try await PoolPair(Self.pairing, scratch, target: "\(scratch)/b")
            try await shell("echo x > $1/x", pair.here)
            try await pair.firstPass()
            for (path, name) in [("\(scratch)/a", "one"), ("\(scratch)/b", "other")] {
                let definition = PoolDefinition(name: name, kind: .btrfs)
                let pool = try await PoolMaker(stateDirectory: path).open(definition)
                let beside = Directories.parent(of: pool.path(of: "v"))
                #expect(try Directories.names(in: beside) == ["rootfs"])
                #expect(try read(pool.path(of: "v") + "/x") == "x\n")
            }
        }
    }

    @Test func `cancelling ends both ends and leaves no process`() async throws {
        try await withScratch { scratch in
            let pair = try await PoolPair(Self.pairing, scratch, target: "\(scratch)/b")
            try await shell("head -c 64M /dev/urandom > $1/big", pair.here)
            let (one, other) = MemoryStream.pair()
            let target = SessionFrame.note(Array(#"{"streams":1,"snapshots":[]}"#.utf8))
            try await other.write(target.encoded[...])
            let sending = Task {
                try await pair.source.sendWhileRunning("v", by: .btrfs, over: one) { _ in }
            }
            // Nobody reads the other end: the source stands with its btrfs at work.
            while one.sent == 0 { await Task.yield() }
            sending.cancel()
            await #expect(throws: CancellationError.self) { try await sending.value }
            await #expect(throws: GodwitError.self) { while try await other.read() != nil {} }
            let left = try await shell("pgrep -f -- \"btrfs send.*$1/a\" || :", scratch)
            #expect(left == "")
            #expect(try Directories.names(in: Directories.parent(of: pair.here)) == ["rootfs"])
        }
    }

    @Test(
        arguments: [
            ([9, 0, 0, 0, 0], "a frame of kind 9"), ([5, 0, 0, 0, 1, 0x5b], "a note"),
            ([3, 0, 0, 0, 0], "no note"), ([2, 0xff, 0xff, 0xff, 0xff], "a frame of"),
        ] as [([UInt8], String)])
    func `a source that speaks nonsense is told so`(
        bytes: [UInt8], message: String
    ) async throws {
        try await PoolPair.with(Self.pairing) { pair in
            let (one, other) = MemoryStream.pair()
            async let received = failure {
                try await pair.target.receiveAfterCheckpoint("v", by: .btrfs, from: other)
            }
            try await one.write(bytes[...])
            var frames = SessionFrameReader(one)
            guard case .failed(let told) = try await frames.next() else {
                Issue.record("the source was not told")
                return
            }
            try await one.finish()
            #expect(told.message.contains(message))
            let error = await received
            #expect(error?.code == .protocolViolation)
        }
    }
}
