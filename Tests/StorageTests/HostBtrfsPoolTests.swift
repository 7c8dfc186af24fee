import Foundation
import LinuxHost
import MigrationCore
import Storage
import Testing

/// What btrfs pools stand on, and what their volumes keep.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(1)))
struct HostBtrfsPoolTests {
    private func definition(
        _ source: String? = nil, size: ByteCount? = .mebibytes(256)
    ) -> PoolDefinition {
        PoolDefinition(name: "p", kind: .btrfs, source: source, size: size)
    }

    private func loops(of file: String) async throws -> Int {
        try await Command("losetup", ["--associated", file]).check()
            .split(separator: "\n").count
    }

    @Test func `a pool in a file is made, found again, grown and removed`() async throws {
        try await withScratch { scratch in
            let (maker, point) = (PoolMaker(stateDirectory: scratch), "\(scratch)/pools/p")
            let made = try await maker.create(definition())
            #expect(made == definition())
            let first = try await maker.open(made)
            try write("x", to: try await first.createVolume("v") + "/x")
            #expect(try await first.facts().filesystem == "btrfs")
            #expect(try await shell("stat -c %a $1 $1/volumes", point) == "711\n711\n")

            // As a restart of the daemon finds it, and a restart of the host.
            let again = try await maker.open(made)
            try await Command("umount", [point]).check()
            #expect(try await loops(of: point + ".img") == 0, "the loop device is detached")
            #expect(await failure { _ = try await again.facts() }?.code == .notFound)
            let pool = try await maker.open(made)
            #expect(try read(pool.path(of: "v") + "/x") == "x")

            let before = try await pool.facts().available
            let grown = try await maker.grow(made, to: .gibibytes(1))
            #expect(grown.size == .gibibytes(1))
            #expect(try await pool.facts().available > before + .mebibytes(512))
            let less = await failure { _ = try await maker.grow(grown, to: .mebibytes(512)) }
            #expect(less?.code == .badRequest)

            #expect(await failure { try await maker.destroy(grown) }?.code == .busy)
            try await pool.deleteVolume("v")
            try await maker.destroy(grown)
            try await maker.destroy(grown)
            #expect(try Directories.names(in: "\(scratch)/pools") == [])
        }
    }

    @Test func `what a crash left of a pool that was being made is removed`() async throws {
        try await withScratch { scratch in
            let maker = PoolMaker(stateDirectory: scratch)
            try await shell("mkdir -p $1/pools; truncate -s 1M $1/pools/p.img.new", scratch)
            try await maker.destroy(definition())
            #expect(try Directories.names(in: "\(scratch)/pools") == [])
        }
    }

    @Test func `a size is taken if none is given, and not every size`() async throws {
        try await withScratch { scratch in
            let maker = PoolMaker(stateDirectory: scratch)
            let made = try await maker.create(definition(size: nil))
            let size = try #require(made.size)
            #expect((Limit.smallestPool...Limit.defaultPool).contains(size))
            try await maker.destroy(made)
            for size in [ByteCount.mebibytes(64), .gibibytes(1 << 20)] {
                let error = await failure { _ = try await maker.create(definition(size: size)) }
                #expect(error?.code == .limitExceeded)
            }
            let much = Limit.largestPool
            #expect(
                await failure { _ = try await maker.create(definition(size: much)) }?.code
                    == .noSpace)
        }
    }

    @Test func `a directory of a mounted btrfs and an empty device are taken`() async throws {
        try await withScratch { scratch in
            let maker = PoolMaker(stateDirectory: scratch + "/state")
            try await shell("cd $1; mkdir m; truncate -s 256M f d", scratch)
            try await shell("mkfs.btrfs -q $1/f >&2; mount -o loop $1/f $1/m", scratch)
            let below = definition("\(scratch)/m/deep/pool", size: nil)
            #expect(try await maker.create(below) == below)
            let pool = try await maker.open(below)
            #expect(try await pool.createVolume("v").hasPrefix("\(scratch)/m/deep/pool/"))
            try await pool.deleteVolume("v")
            try await maker.destroy(below)
            #expect(try Directories.names(in: "\(scratch)/m/deep/pool") == [])

            try await withLoop("\(scratch)/d") { device in
                let on = definition(device, size: nil)
                #expect(try await maker.create(on) == on)
                try write("x", to: try await maker.open(on).createVolume("v") + "/x")
                try await Command("umount", ["\(scratch)/state/pools/p"]).check()
                // It is not made anew.
                _ = try await maker.create(on)
                let again = try await maker.open(on)
                #expect(try read(again.path(of: "v") + "/x") == "x")
                try await again.deleteVolume("v")
                try await maker.destroy(on)
            }
        }
    }

    @Test func `what is something else already is refused and left alone`() async throws {
        try await withScratch { scratch in
            let maker = PoolMaker(stateDirectory: scratch)
            try await shell(
                "cd $1; truncate -s 256M e; mkfs.ext4 -q e; mkdir d; echo x > f", scratch)
            try await withLoop("\(scratch)/e") { device in
                let on = definition(device, size: nil)
                let error = await failure { _ = try await maker.create(on) }
                #expect(error?.code == .badRequest)
                #expect(error?.cause?.contains("ext4") == true)
                try await maker.destroy(on)
                #expect(try await shell("blkid -p -o value -s TYPE $1", device) == "ext4\n")
            }
            for source in ["\(scratch)/d", "\(scratch)/f", "relative", "\(scratch)/no/such"] {
                let error = await failure {
                    _ = try await maker.create(definition(source, size: nil))
                }
                #expect(error?.code == .badRequest, "\(source)")
            }
        }
    }

    @Test func `snapshots keep a volume as it was`() async throws {
        try await withScratch { scratch in
            let pool = try await makePool(.btrfs, "p", at: scratch, size: .mebibytes(256))
            let keeper = try #require(pool as? any VolumeSnapshotting)
            let root = try await pool.createVolume("v")
            #expect(keeper.snapshotsAtOnce)
            for name in ["one", "two"] {
                try write(name, to: root + "/file")
                try await keeper.createSnapshot(name, of: "v")
            }
            #expect(try await keeper.snapshots(of: "v") == ["one", "two"])
            let kept = try await keeper.path(of: "one", in: "v")
            #expect(try read(kept + "/file") == "one")
            #expect(throws: (any Error).self) { try write("x", to: kept + "/file") }
            let taken = await failure { try await keeper.createSnapshot("one", of: "v") }
            #expect(taken?.code == .nameTaken)
            for (snapshot, volume) in [("../x", "v"), ("x", "../v"), ("", "v")] {
                let bad = await failure { try await keeper.createSnapshot(snapshot, of: volume) }
                #expect(bad?.code == .badRequest)
            }
            #expect(
                await failure { try await keeper.createSnapshot("x", of: "w") }?.code == .notFound)

            try await keeper.restoreSnapshot("one", of: "v")
            #expect(try read(root + "/file") == "one")
            try write("three", to: root + "/file")
            #expect(
                await failure { try await keeper.restoreSnapshot("no", of: "v") }?.code == .notFound
            )
            try await keeper.deleteSnapshot("one", of: "v")
            try await keeper.deleteSnapshot("one", of: "v")
            try await pool.renameVolume("v", to: "w")
            #expect(try await keeper.snapshots(of: "w") == ["two"])
            #expect(try read(pool.path(of: "w") + "/file") == "three")
            try await pool.deleteVolume("w")
            #expect(try await shell("btrfs subvolume list $1", scratch + "/pools/p") == "")
        }
    }

    @Test func `an image takes the place of a subvolume's root with all that it holds`()
        async throws
    {
        try await withScratch { scratch in
            let pool = try await makePool(.btrfs, "p", at: scratch, size: .mebibytes(256))
            let root = try await pool.createVolume("v")
            try Directories.make(scratch + "/image", mode: 0o755)
            try await shell(everyKind, scratch + "/image")
            // As a daemon leaves it that was killed meanwhile.
            try await shell("mkdir $1/../.filling; echo half > $1/half; chmod 700 $1/..", root)
            _ = try await RootImporter().importRoot(
                from: scratch + "/image", into: root, idMap: nil)
            #expect(try await differences(scratch + "/image", root) == "")
            #expect(try await shell("stat -c %a $1/..; ls -A $1/..", root) == "711\nrootfs\n")
            let again = await failure {
                _ = try await RootImporter().importRoot(
                    from: scratch + "/image", into: root, idMap: nil)
            }
            #expect(again?.code == .nameTaken)
        }
    }
}
