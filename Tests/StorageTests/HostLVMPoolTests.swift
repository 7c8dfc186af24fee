import Foundation
import LinuxHost
import MigrationCore
import Storage
import Testing

/// What lvm pools stand on, and what their volumes keep.
///
/// Most of it needs device-mapper, which the machines of the VM lab have (docs/vm-lab.md).
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(10)))
struct HostLVMPoolTests {
    enum Story: String, CaseIterable, CustomTestStringConvertible {
        case file = "a pool in a file is made, found again, grown and removed"
        case group = "a volume group of somebody's keeps what else is in it"
        case device = "an empty device is taken and given back, another one is left alone"
        case leftovers = "what a daemon that was killed has left is removed"
        case full = "a full pool ends writes instead of keeping them waiting"
        case blocks = "what is used travels, then what has changed"
        case refusal = "where there is no LVM nothing is left of a pool"

        static let possible = allCases.filter { ($0 == .refusal) != hasThinPools }
        var testDescription: String { rawValue }
    }

    @Test(arguments: Story.possible)
    func `a pool of thin volumes keeps what it must`(story: Story) async throws {
        try await withScratch { scratch in
            let stage = ThinStage(scratch)
            switch story {
            case .file: try await stage.file()
            case .group: try await stage.group()
            case .device: try await stage.device()
            case .leftovers: try await stage.leftovers()
            case .full: try await stage.full()
            case .blocks: try await stage.blocks()
            case .refusal: try await stage.refusal()
            }
        }
    }
}

private struct ThinStage {
    let scratch: String
    let maker: PoolMaker

    init(_ scratch: String) {
        self.scratch = scratch
        maker = PoolMaker(stateDirectory: scratch)
    }

    private var point: String { "\(scratch)/pools/p" }

    private func definition(
        _ source: String? = nil, size: ByteCount? = .mebibytes(256)
    ) -> PoolDefinition {
        PoolDefinition(name: "p", kind: .lvm, source: source, size: size)
    }

    /// What the kernel has of the pool, but for the pool's own parts.
    private func thins(in group: String) async throws -> Int {
        try await shell("dmsetup ls --target thin | grep -c \"^$1-gw\" || :", escaped(group))
            .split(separator: "\n").first.flatMap { Int($0) } ?? -1
    }

    private func escaped(_ group: String) -> String {
        group.split(separator: "-").joined(separator: "--")
    }

    private func group(of pool: any VolumePool) throws -> String {
        let place = Directories.parent(of: pool.path(of: "v"))
        let target = try #require(Directories.target(ofLink: place + "/device"))
        return String(target.split(separator: "/")[1])
    }

    func file() async throws {
        let made = try await maker.create(definition())
        #expect(made == definition())
        let first = try await maker.open(made)
        try write("x", to: try await first.createVolume("v") + "/x")
        let keeper = try #require(first as? any VolumeSnapshotting)
        try await keeper.createSnapshot("s", of: "v")
        #expect(try await first.facts().filesystem == "ext4")
        #expect(try await shell("stat -c %a $1 $1/volumes", point) == "711\n711\n")
        let kept = try await keeper.path(of: "s", in: "v")
        #expect(throws: (any Error).self) { try write("y", to: kept + "/x") }
        #expect(try read(kept + "/x") == "x")

        // As a restart of the daemon finds it, and a restart of the host.
        _ = try await maker.open(made)
        let group = try group(of: first)
        try await shell(
            """
            umount $1/volumes/v/rootfs $1/volumes/v/snapshots/s/rootfs
            lvm vgchange --activate n $2; losetup --detach $(losetup -nO NAME -j $1.img)
            """, point, group)
        #expect(await failure { _ = try await first.facts() }?.code == .notFound)
        let pool = try await maker.open(made)
        #expect(try read(pool.path(of: "v") + "/x") == "x")
        #expect(try read(kept + "/x") == "x")
        try await grow(made, pool)
    }

    private func grow(_ made: PoolDefinition, _ pool: any VolumePool) async throws {
        let root = pool.path(of: "v")
        let before = try await pool.facts().available
        let grown = try await maker.grow(made, to: .mebibytes(512))
        #expect(grown.size == .mebibytes(512))
        #expect(try await pool.facts().available > before + .mebibytes(200))
        let room = try FilesystemFacts.of(root).available
        #expect(room > .mebibytes(400), "the volume has grown with it: \(room)")
        #expect(try await maker.grow(grown, to: .mebibytes(512)) == grown)
        let less = await failure { _ = try await maker.grow(grown, to: .mebibytes(256)) }
        #expect(less?.code == .badRequest)

        #expect(await failure { try await maker.destroy(grown) }?.code == .busy)
        try await pool.deleteVolume("v")
        try await maker.destroy(grown)
        try await maker.destroy(grown)
        #expect(try Directories.names(in: "\(scratch)/pools") == [])
        #expect(try await shell("losetup --list --noheadings | grep -c $1 || :", scratch) == "0\n")
    }

    func group() async throws {
        try await shell("truncate -s 512M $1/f", scratch)
        try await withLoop("\(scratch)/f") { device in
            // The kernel knows it by this name: it must be nobody else's.
            let group = "somebody-\(UInt32.random(in: 1 << 20...UInt32.max))"
            do { try await use(group, on: device) } catch {
                _ = try? await shell("lvm vgremove --yes --force $1", group)
                throw error
            }
            try await shell("lvm vgremove --yes --force $1", group)
        }
        for source in ["no-such-group", "-x", "a/b", "a b", "/no/such/device"] {
            let error = await failure { _ = try await maker.create(definition(source)) }
            #expect(error?.code == .badRequest, "\(source)")
        }
    }

    private func use(_ group: String, on device: String) async throws {
        // Without udev there is no device file of it that could be wiped.
        try await shell(
            """
            lvm vgcreate $1 $2
            lvm lvcreate --zero n --wipesignatures n --size 32M --name other $1
            """, group, device)
        let made = try await maker.create(definition(group))
        #expect(made == definition(group))
        let pool = try await maker.open(made)
        try write("x", to: try await pool.createVolume("v") + "/x")
        let before = try await pool.facts().available
        _ = try await maker.grow(made, to: .mebibytes(320))
        #expect(try await pool.facts().available > before + .mebibytes(32))
        try await pool.deleteVolume("v")
        try await maker.destroy(made)
        let left = try await shell("lvm lvs --noheadings --options lv_name $1", group)
        #expect(left.filter { !$0.isWhitespace } == "other")
    }

    func device() async throws {
        try await shell("cd $1; truncate -s 256M d e; mkfs.ext4 -q e", scratch)
        try await withLoop("\(scratch)/d") { device in
            let on = definition(device, size: nil)
            #expect(try await maker.create(on) == on)
            try write("x", to: try await maker.open(on).createVolume("v") + "/x")
            // It is not made anew.
            _ = try await maker.create(on)
            let again = try await maker.open(on)
            #expect(try read(again.path(of: "v") + "/x") == "x")
            let more = await failure { _ = try await maker.grow(on, to: .gibibytes(1)) }
            #expect(more?.code == .badRequest)
            try await again.deleteVolume("v")
            try await maker.destroy(on)
            #expect(try await shell("blkid -p -o value -s TYPE $1 || :", device) == "")
        }
        try await withLoop("\(scratch)/e") { device in
            let on = definition(device, size: nil)
            let error = await failure { _ = try await maker.create(on) }
            #expect(error?.code == .badRequest)
            #expect(error?.cause?.contains("ext4") == true)
            try await maker.destroy(on)
            #expect(try await shell("blkid -p -o value -s TYPE $1", device) == "ext4\n")
        }
    }

    func leftovers() async throws {
        let made = try await maker.create(definition())
        let pool = try await maker.open(made)
        try write("x", to: try await pool.createVolume("v") + "/x")
        _ = try await pool.createVolume("w")
        let group = try group(of: pool)
        try await shell(
            """
            cd $1/volumes; origin=$(basename $(readlink v/device))
            snap() { lvm lvcreate --snapshot -kn --name $2 $1/$origin >&2; }
            snap $2 gw-pass; snap $2 gw-half
            mkdir -p v/snapshots/.making-s; ln -s /dev/$2/gw-half v/snapshots/.making-s/device
            mkdir v/snapshots/.making-t; ln -s /dev/$2/gw-none v/snapshots/.making-t/device
            mv w .deleting-w
            dmsetup message \(escaped(group))-pool-tpool 0 reserve_metadata_snap
            """, point, group)
        #expect(try await thins(in: group) == 4)
        let again = try await maker.open(made)
        #expect(try await thins(in: group) == 1)
        #expect(try Directories.names(in: "\(point)/volumes") == ["v"])
        #expect(try Directories.names(in: "\(point)/volumes/v/snapshots") == [])
        #expect(try read(again.path(of: "v") + "/x") == "x")
        try await travel(from: again)
        #expect(try await thins(in: group) == 1)
    }

    /// To a pool of its own.
    private func travel(from pool: any VolumePool) async throws {
        let target = try await makePool(.lvm, "q", at: "\(scratch)/other", size: .mebibytes(256))
        let there = try await target.createVolume("v")
        let (one, other) = MemoryStream.pair()
        let received = Task {
            try await target.receiveWhileRunning("v", by: .lvm, from: other)
        }
        try await pool.sendWhileRunning("v", by: .lvm, over: one) { _ in }
        try await received.value
        #expect(try read(there + "/x") == "x")
    }

    func full() async throws {
        let made = try await maker.create(definition(size: .mebibytes(128)))
        let pool = try await maker.open(made)
        let root = try await pool.createVolume("v")
        let other = try await pool.createVolume("w")
        // Else what writes waits for a minute, or for ever.
        let kernel = try await shell("dmsetup status --target thin-pool", scratch)
        #expect(kernel.contains("error_if_no_space"))
        let filling = await failure {
            for place in [root, other] {
                try await shell("head -c 80M /dev/urandom > $1/f; sync $1/f", place)
            }
        }
        #expect(filling != nil)
        #expect(try await pool.facts().available < .mebibytes(4))
        try await pool.deleteVolume("w")
        #expect(try await pool.facts().available > .mebibytes(4))
        try await pool.deleteVolume("v")
        try await maker.destroy(made)
    }

    func blocks() async throws {
        let pairing = Pairing(source: .lvm, target: .lvm)
        let pair = try await PoolPair(pairing, scratch, target: "\(scratch)/b")
        #expect(pair.method == .lvm)
        try await shell(
            "cd $1; head -c 24M /dev/urandom > r; head -c 48M /dev/zero > z; truncate -s 64M h",
            pair.here)
        let first = try await pair.firstPass()
        #expect((24 << 20...30 << 20).contains(first), "\(first) bytes")
        try await shell("cd $1; head -c 1M /dev/urandom >> r; rm z", pair.here)
        let delta = try await pair.delta()
        #expect((1 << 20...3 << 19).contains(delta), "\(delta) bytes")
        report("lvm: first pass \(first) bytes of 24 MiB and zeros, delta \(delta) of 1 MiB")
        try await pair.expectEqual()
        try await pair.expectClean()
    }

    func refusal() async throws {
        let error = await failure { _ = try await maker.create(definition()) }
        #expect(error?.code == .toolMissing || error?.code == .toolFailed)
        try await maker.destroy(definition(nil))
        #expect(try Directories.names(in: "\(scratch)/pools") == [])
    }
}
