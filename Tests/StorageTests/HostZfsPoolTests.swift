import Foundation
import LinuxHost
import MigrationCore
import Storage
import TestSupport
import Testing

/// What zfs pools stand on, and what their volumes keep.
@Suite(
    .enabled(if: getuid() == 0), .disabled(if: TestedZfs.obstacle != nil, "there is no ZFS here"),
    .timeLimit(.minutes(3)))
struct HostZfsPoolTests {
    private func definition(
        _ source: String? = nil, size: ByteCount? = .mebibytes(256)
    ) -> PoolDefinition {
        PoolDefinition(name: "p", kind: .zfs, source: source, size: source == nil ? size : nil)
    }

    private func withZfs(
        _ body: (String, TestedZfs, PoolMaker) async throws -> Void
    ) async throws {
        try await withScratch { scratch in
            try await TestedZfs.with(below: scratch) { zfs in
                try await body(
                    scratch, zfs, PoolMaker(stateDirectory: scratch + "/state", zfs: zfs.tools))
            }
        }
    }

    @Test func `a pool in a file is made, found again, grown and removed`() async throws {
        try await withZfs { scratch, zfs, maker in
            let place = "\(scratch)/state/pools/p"
            let made = try await maker.create(definition())
            #expect(made == definition())
            let first = try await maker.open(made)
            let root = try await first.createVolume("v")
            #expect(root == place + "/volumes/v/rootfs")
            try write("x", to: root + "/x")
            #expect(try await first.facts().filesystem == "zfs")
            #expect(
                try await shell("stat -c %a $1 $1/volumes $1/volumes/v $1/volumes/v/rootfs", place)
                    == "711\n711\n711\n755\n")

            // As a restart of the daemon finds it, and a restart of the host.
            _ = try await maker.open(made)
            #expect(try read(root + "/x") == "x")
            try await Command("umount", [root]).check()
            try await Command(zfs.zpool, ["export", "godwit-p"]).check()
            #expect(await failure { _ = try await first.facts() }?.code == .notFound)
            let pool = try await maker.open(made)
            #expect(try read(pool.path(of: "v") + "/x") == "x")

            let before = try await pool.facts().available
            let grown = try await maker.grow(made, to: .gibibytes(1))
            #expect(grown.size == .gibibytes(1))
            #expect(try await pool.facts().available > before + .mebibytes(512))
            let less = await failure { _ = try await maker.grow(grown, to: .mebibytes(512)) }
            #expect(less?.code == .badRequest)

            #expect(await failure { try await maker.destroy(grown) }?.code == .busy)
            #expect(try read(pool.path(of: "v") + "/x") == "x")
            try await pool.deleteVolume("v")
            #expect(await !pool.hasVolume("v"))
            try await maker.destroy(grown)
            try await maker.destroy(grown)
            #expect(try Directories.names(in: "\(scratch)/state/pools") == [])
        }
    }

    @Test func `what a crash left of a pool that was being made is removed`() async throws {
        try await withZfs { scratch, _, maker in
            try await shell(
                "mkdir -p $1/state/pools/p; truncate -s 128M $1/state/pools/p/zpool.img", scratch)
            try await maker.destroy(definition())
            #expect(try Directories.names(in: "\(scratch)/state/pools") == [])
        }
    }

    @Test func `a dataset is taken, and what is beside it stays`() async throws {
        try await withZfs { scratch, zfs, maker in
            try await shell(
                "truncate -s 256M $1/tank; $2 create -m none $4 $1/tank; $3 create $4/deep; "
                    + "$3 create $4/deep/other", scratch, zfs.zpool, zfs.zfs, "godwit-tank")
            let on = definition("godwit-tank/deep")
            #expect(try await maker.create(on) == on)
            let pool = try await maker.open(on)
            let root = try await pool.createVolume("v")
            try write("x", to: root + "/x")
            // Another pool's volumes are not taken for its own.
            let other = PoolDefinition(name: "q", kind: .zfs, source: "godwit-tank/deep")
            #expect(await failure { _ = try await maker.create(other) }?.code == .busy)
            try await maker.destroy(other)
            #expect(try read(root + "/x") == "x")
            try await pool.deleteVolume("v")
            try await maker.destroy(on)
            #expect(try await zfs.names(below: "godwit-tank") == ["deep", "deep/other"])
            try await Command(zfs.zpool, ["destroy", "godwit-tank"]).check()
        }
    }

    /// A loop device, and in the VM lab a disk, which OpenZFS partitions.
    private static let devices =
        ["loop"] + [ProcessInfo.processInfo.environment["GODWIT_SPARE_DISK"]].compactMap(\.self)

    @Test(arguments: HostZfsPoolTests.devices)
    func `an empty device is taken, and found again`(device: String) async throws {
        try await withZfs { scratch, zfs, maker in
            guard device == "loop" else { return try await expectTaken(device, maker, zfs) }
            try await shell("truncate -s 256M $1/d", scratch)
            try await withLoop("\(scratch)/d") { try await expectTaken($0, maker, zfs) }
        }
    }

    private func expectTaken(
        _ device: String, _ maker: PoolMaker, _ zfs: TestedZfs
    ) async throws {
        let on = definition(device)
        #expect(try await maker.create(on) == on)
        let root = try await maker.open(on).createVolume("v")
        try write("x", to: root + "/x")
        try await Command("umount", [root]).check()
        try await Command(zfs.zpool, ["export", "godwit-p"]).check()
        // It is not made anew.
        _ = try await maker.create(on)
        let again = try await maker.open(on)
        #expect(try read(again.path(of: "v") + "/x") == "x")
        try await again.deleteVolume("v")
        try await maker.destroy(on)
    }

    @Test func `what is something else already is refused and left alone`() async throws {
        try await withZfs { scratch, zfs, maker in
            try await shell(
                "cd $1; truncate -s 256M e; mkfs.ext4 -q e; mkdir d; echo x > f", scratch)
            try await withLoop("\(scratch)/e") { device in
                let on = definition(device)
                #expect(await failure { _ = try await maker.create(on) }?.code == .badRequest)
                try await maker.destroy(on)
                #expect(try await shell("blkid -p -o value -s TYPE $1", device) == "ext4\n")
            }
            for source in ["\(scratch)/d", "\(scratch)/f", "no/such", "-o", "a@b", "a//b"] {
                let on = definition(source)
                #expect(
                    await failure { _ = try await maker.create(on) }?.code == .badRequest,
                    "\(source)")
                try await maker.destroy(on)
            }
        }
    }

    @Test func `what a daemon that was killed has left goes when the pool is opened`() async throws
    {
        try await withZfs { scratch, zfs, maker in
            let made = try await maker.create(definition())
            let pool = try await maker.open(made)
            let root = try await pool.createVolume("v")
            try write("x", to: root + "/x")
            let keeper = try #require(pool as? any VolumeSnapshotting)
            try await keeper.createSnapshot("one", of: "v")
            _ = try await keeper.path(of: "one", in: "v")
            // One was just taking the place of the other, one was being deleted, one arrived.
            let place = "godwit-p/volumes"
            try await shell(
                """
                zfs=$1; p=$2; $zfs snapshot $p/v/rootfs@godwit-pass-1
                $zfs clone -o canmount=noauto $p/v/rootfs@godwit-snapshot-one $p/v/fresh-1
                $zfs set mountpoint=$3 $p/v/fresh-1
                umount $3; tries=0
                # zfs-fuse lets go of it a moment later.
                until $zfs rename $p/v/rootfs $p/v/old-1; do
                    tries=$((tries + 1)); [ $tries -lt 50 ]; sleep 0.1
                done
                $zfs create -o mountpoint=none -o canmount=off $p/w; $zfs create $p/w/old-2
                mkdir -p $4/w/rootfs $4/gone/rootfs
                """, zfs.zfs, place, root, "\(scratch)/state/pools/p/volumes")
            let again = try await maker.open(made)
            #expect(try read(again.path(of: "v") + "/x") == "x")
            #expect(
                try await zfs.names(below: place) == [
                    "v", "v/old-1", "v/old-1@godwit-snapshot-one", "v/rootfs",
                ])
            #expect(
                try Directories.names(in: "\(scratch)/state/pools/p/volumes") == ["v"])
            #expect(try Directories.names(in: "\(scratch)/state/pools/p/volumes/v") == ["rootfs"])
        }
    }

    @Test func `what was being kept when the daemon was killed is a volume or a copy`() async throws
    {
        try await withZfs { scratch, zfs, maker in
            let made = try await maker.create(definition())
            let place = "godwit-p/volumes"
            let folder = "\(scratch)/state/pools/p/volumes"
            let open = { try #require(try await maker.open(made) as? any VolumeKeeping) }
            let pool = try await open()
            try write("x", to: try await pool.createVolume("v") + "/x")
            try await pool.noteArrival(of: "v", digest: "d")
            // Only unmounted.
            try await shell("umount $1/v/rootfs", folder)
            var next = try await open()
            #expect(try read(next.path(of: "v") + "/x") == "x")
            // A copy whose directory is still there.
            try await next.keepVolume("v", as: "c")
            try await shell("mkdir -p $1/v/rootfs; echo d > $1/v/arrival", folder)
            next = try await open()
            #expect(await !next.hasVolume("v"))
            #expect(try await next.keptCopies() == ["c"])
            #expect(try Directories.names(in: folder) == [])
            // A volume again, which has no directory yet.
            try await Command(zfs.zfs, ["rename", "\(place)/.kept/c", "\(place)/w"]).check()
            next = try await open()
            #expect(try read(next.path(of: "w") + "/x") == "x")
            #expect(try await next.keptCopies() == [])
            // A copy that has gone but for its name.
            try await next.keepVolume("w", as: "c")
            try await Command(zfs.zfs, ["destroy", "\(place)/.kept/c/rootfs"]).check()
            next = try await open()
            #expect(try await next.keptCopies() == ["c"])
            #expect(await failure { try await maker.destroy(made) }?.code == .busy)
            try await next.removeKept("c")
            #expect(try await zfs.names(below: place) == [".kept"])
            try await maker.destroy(made)
        }
    }

    private func withLoop(_ file: String, _ body: (String) async throws -> Void) async throws {
        let device = try await Command("losetup", ["--find", "--show", file]).check()
            .filter { !$0.isWhitespace }
        do { try await body(device) } catch {
            _ = try? await Command("losetup", ["--detach", device]).check()
            throw error
        }
        try await Command("losetup", ["--detach", device]).check()
    }
}
