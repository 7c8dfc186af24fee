import Foundation
import LinuxHost
import MigrationCore
import Storage
import TestSupport
import Testing

/// Passes between two zfs pools.
@Suite(
    .enabled(if: getuid() == 0), .disabled(if: TestedZfs.obstacle != nil, "there is no ZFS here"),
    .timeLimit(.minutes(3)))
struct HostZfsPassTests {
    private static let pairing = Pairing(source: .zfs, target: .zfs)

    @Test func `a delta leaves the root what it was, and is left out where nothing changed`()
        async throws
    {
        try await PoolPair.with(Self.pairing) { pair in
            try await shell("head -c 4M /dev/urandom > $1/big; echo 1 > $1/small", pair.here)
            try await Task.sleep(for: .milliseconds(250))
            try await pair.firstPass()
            // zfs-fuse does not stamp all changes.
            #expect(try await pair.source.hasChanged("v", mapped: []) != TestedZfs.isInKernel)
            let root = try FileStatus.of(pair.there)?.key
            for round in 1...2 {
                try await shell("cd $1; echo $2 >> small; mkdir d$2", pair.here, "\(round)")
                #expect(try await pair.source.hasChanged("v", mapped: []))
                #expect(try await pair.delta() < 1 << 20)
                try await pair.expectEqual()
            }
            #expect(try FileStatus.of(pair.there)?.key == root)
            try await pair.expectClean()
        }
    }

    /// Whole with zfs-fuse, which at times fails to receive what builds upon a dataset.
    @Test func `a first pass that is sent again leaves nothing that the source has not`()
        async throws
    {
        try await PoolPair.with(Self.pairing) { pair in
            try await shell("head -c 8M /dev/urandom > $1/big", pair.here)
            #expect(try await pair.firstPass() > 8 << 20)
            try await shell("echo more > $1/more", pair.here)
            try await shell("echo stray > $1/stray", pair.there)
            let again = try await pair.firstPass()
            #expect((again < 1 << 20) == TestedZfs.isInKernel, "\(again)")
            #expect(try Directories.names(in: pair.there) == ["big", "more"])
            try await pair.delta()
            try await pair.expectEqual()
            try await pair.expectClean()
        }
    }

    /// zfs-fuse keeps nothing of it, and sends all again; what was a kept copy by rsync.
    @Test func `a first pass that breaks goes on where it was, from a kept copy, too`()
        async throws
    {
        try await PoolPair.withGround(Self.pairing) { scratch, zfs in
            let zfs = try #require(zfs)
            let pair = try await PoolPair(Self.pairing, scratch, target: "\(scratch)/b", zfs: zfs)
            let keeping = try #require(pair.target as? any VolumeKeeping)
            try await shell("head -c 96M /dev/urandom > $1/big; echo 1 > $1/small", pair.here)
            for limit in TestedZfs.isInKernel ? [48, 32] : [48] {
                let error = await failure { try await pair.firstPass(cutAfter: limit << 20) }
                #expect(error?.code == .linkLost)
                #expect(try Directories.names(in: pair.there) == [])
                let used = try await pair.target.used(by: "v")
                #expect((used > .mebibytes(16)) == TestedZfs.isInKernel, "\(used)")
                try await keeping.keepVolume("v", as: "copy")
                _ = try await keeping.takeKept("copy", as: "v")
            }
            try await shell("echo 2 > $1/small", pair.here)
            let rest = try await pair.firstPass()
            #expect((rest < 48 << 20) == TestedZfs.isInKernel, "\(rest)")
            try await pair.delta()
            try await pair.expectEqual()
            try await pair.source.cleanUpAfterSending("v")
            try await pair.target.cleanUpAfterReceiving("v")
            for (name, more) in [("one", []), ("other", ["volumes/.kept"])] {
                let left = try await zfs.names(below: "godwit-\(name)")
                #expect(Set(left) == Set(["volumes", "volumes/v", "volumes/v/rootfs"] + more))
            }
        }
    }

    @Test func `what a source keeps of a pass that broke goes in time, and with the next pass`()
        async throws
    {
        try await PoolPair.withGround(Self.pairing) { scratch, zfs in
            let zfs = try #require(zfs)
            let pair = try await PoolPair(Self.pairing, scratch, target: "\(scratch)/b", zfs: zfs)
            let resuming = try #require(pair.source as? any PassResuming)
            let passes = {
                try await zfs.names(below: "godwit-one").filter { $0.contains("@") }.count
            }
            let kept = TestedZfs.isInKernel ? 1 : 0
            try await shell("head -c 32M /dev/urandom > $1/big", pair.here)
            for _ in 1...2 {
                await #expect(throws: GodwitError(.linkLost, "")) {
                    try await pair.firstPass(cutAfter: 8 << 20)
                }
                try await pair.source.cleanUpAfterSending("v")
                #expect(try await passes() == kept)
            }
            try await resuming.removeBrokenPasses(before: Timestamp(milliseconds: 0))
            #expect(try await passes() == kept)
            try await resuming.removeBrokenPasses(before: Timestamp(milliseconds: .max))
            #expect(try await passes() == 0)
            // The target has what it had; nobody can send the rest.
            #expect(try await pair.firstPass() > 32 << 20)
            try await pair.delta()
            try await pair.expectEqual()
            try await pair.expectClean()
        }
    }

    @Test func `a target with snapshots of its own keeps them`() async throws {
        try await PoolPair.with(Self.pairing) { pair in
            let kept = try #require(pair.target as? any VolumeSnapshotting)
            try await shell("head -c 8M /dev/urandom > $1/big", pair.here)
            try await shell("cp --preserve=all $1/big $2/big", pair.here, pair.there)
            try await kept.createSnapshot("daily", of: "v")
            // What rsync finds there it does not send.
            #expect(try await pair.firstPass() < 1 << 20)
            try await pair.delta()
            try await pair.expectEqual()
            #expect(try await kept.snapshots(of: "v") == ["daily"])
        }
    }

    /// zfs-fuse keeps as an attribute what `tar --acls` and the like set, and rsync passes it over.
    @Test(.disabled(if: TestedZfs.isInKernel, "OpenZFS keeps no such list"))
    func `an access list that says what the permissions say need not arrive`() async throws {
        try await PoolPair.with(Self.pairing) { pair in
            let kept = try #require(pair.target as? any VolumeSnapshotting)
            let plain = "0x0200000001000600ffffffff04000400ffffffff20000400ffffffff"
            try await shell(
                "echo x > $1/x; chmod 644 $1/x; setfattr -n system.posix_acl_access -v $2 $1/x",
                pair.here, plain)
            // By rsync then.
            try await kept.createSnapshot("daily", of: "v")
            try await pair.firstPass()
            #expect(
                try await shell("getfattr -d -m - $1/x", pair.here).contains("posix_acl_access"),
                "the test proves nothing")
            try await pair.delta()
            try await pair.expectEqual()
        }
    }

    @Test func `snapshots of which the volume was made go when nothing needs them`() async throws {
        try await PoolPair.with(Self.pairing) { pair in
            let pool = try #require(pair.source as? any VolumeSnapshotting)
            for name in ["one", "two", "three"] {
                try write(name, to: pair.here + "/file")
                try await pool.createSnapshot(name, of: "v")
            }
            for name in ["one", "three", "two"] {
                try await pool.restoreSnapshot(name, of: "v")
                #expect(try read(pair.here + "/file") == name)
            }
            for name in ["two", "one", "three"] {
                try await pool.deleteSnapshot(name, of: "v")
                #expect(try read(pair.here + "/file") == "two")
            }
            #expect(try await pool.snapshots(of: "v") == [])
            // The volume is still made of it; another restore would free it.
            try await pool.createSnapshot("four", of: "v")
            try await pool.deleteSnapshot("four", of: "v")
            try await pair.firstPass()
            try await pair.delta()
            try await pair.expectEqual()
        }
    }

    @Test func `cancelling ends both ends and leaves no process`() async throws {
        try await PoolPair.withGround(Self.pairing) { scratch, zfs in
            let zfs = try #require(zfs)
            let pair = try await PoolPair(
                Self.pairing, scratch, target: "\(scratch)/b", zfs: zfs)
            try await shell("head -c 64M /dev/urandom > $1/big", pair.here)
            let (one, other) = MemoryStream.pair()
            let target = #"{"takesWhole":true,"isCompressed":false}"#
            try await other.write(SessionFrame.note(Array(target.utf8)).encoded[...])
            let sending = Task {
                try await pair.source.sendWhileRunning("v", by: .zfs, over: one) { _ in }
            }
            // Nobody reads the other end: the source stands with its zfs at work.
            while one.sent < 1 << 16 { await Task.yield() }
            sending.cancel()
            await #expect(throws: CancellationError.self) { try await sending.value }
            await #expect(throws: GodwitError.self) { while try await other.read() != nil {} }
            let left = try await shell("pgrep -f -- 'zfs send godwit-on[e]' || :")
            #expect(left == "")
            #expect(
                try await zfs.names(below: "godwit-one") == [
                    "volumes", "volumes/v", "volumes/v/rootfs",
                ])
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
                try await pair.target.receiveWhileRunning("v", by: .zfs, from: other)
            }
            try await one.write(bytes[...])
            var frames = SessionFrameReader(one)
            guard case .note = try await frames.next(),
                case .failed(let told) = try await frames.next()
            else {
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
