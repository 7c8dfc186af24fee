import Foundation
import LinuxHost
import MigrationCore
import Storage
import TestSupport
import Testing

/// Volumes whose files arrive under other host ids than they have on the source.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(2)))
struct HostIDArrivalTests {
    private static let source = IDMap(hostStart: 100_000, count: 65_536)

    /// Apart from the source's range, and within most of it.
    private static func change(to start: UInt32) throws -> IDChange {
        try #require(IDChange(from: source, to: IDMap(hostStart: start, count: 65_536)))
    }

    /// Where the target's volumes are: on a filesystem with idmapped mounts, or without, and in
    /// pools of other kinds.
    enum Ground: String, CaseIterable, Sendable {
        case directory, overlay, btrfs, layers, thin, zfs

        static let all = allCases.filter { ground in
            guard Pairing.only == nil || ground.kind == Pairing.only else { return false }
            return switch ground {
            case .thin: hasThinPools
            case .zfs: TestedZfs.obstacle == nil
            default: true
            }
        }

        var kind: PoolKind {
            switch self {
            case .directory, .overlay: .directory
            case .btrfs: .btrfs
            case .layers: .overlay
            case .thin: .lvm
            case .zfs: .zfs
            }
        }
        /// Nil where it depends on the version: OpenZFS has some since 2.2.
        var hasViews: Bool? {
            if self == .zfs, TestedZfs.isInKernel { return nil }
            return ![.overlay, .layers, .zfs].contains(self)
        }
        var hasACLs: Bool { self != .zfs || TestedZfs.isInKernel }
    }

    /// What one has started holds what the others have open.
    @Test func `many views are opened at once`() async throws {
        try await withScratch { scratch in
            let change = try Self.change(to: 3_000_000)
            let opened = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<100 {
                    group.addTask {
                        try await blocking { IDMappedTree.open(scratch, change) != nil }
                    }
                }
                return try await group.reduce(into: [Bool]()) { $0.append($1) }
            }
            #expect(opened.count == 100 && Set(opened).count == 1)
        }
    }

    private static func with(
        _ ground: Ground, _ body: (PoolPair) async throws -> Void
    ) async throws {
        let pairing = Pairing(source: .directory, target: ground.kind)
        try await PoolPair.withGround(pairing) { scratch, zfs in
            if ground == .overlay { try await mountOverlay(at: scratch) }
            try await body(try await PoolPair(pairing, scratch, target: "\(scratch)/b", zfs: zfs))
        }
    }

    private static func mountOverlay(at scratch: String) async throws {
        let script = """
            cd $1; mkdir lower upper work b
            mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work godwit b
            """
        try await shell(script, scratch)
    }

    private static func changing(_ pair: PoolPair) throws -> any VolumeIDChanging {
        try #require(pair.target as? any VolumeIDChanging)
    }

    @Test(arguments: Ground.all, [3_000_000, 100_100, 99_000])
    func `every kind of file arrives with the ids of the target`(
        ground: Ground, start: UInt32
    ) async throws {
        let change = try Self.change(to: start)
        try await Self.with(ground) { pair in
            let target = try Self.changing(pair)
            let hasViews = IDMappedTree.open(pair.there, change) != nil
            #expect(hasViews == ground.hasViews ?? hasViews)
            try await shell(pair.fitting(everyKind), pair.here)
            try await shell(
                "cd $1; setcap -n 100000 cap_net_raw+ep empty; chown 165535:165536 var", pair.here)
            try await target.expectIDs(change, in: "v")
            try await pair.firstPass()
            let first = try await pair.target.digest(of: "v", mapped: [])
            #expect(try await pair.source.digest(of: "v", mapped: []) == first)
            try await shell("cd $1; echo z > late; chown 100007:100008 late; rm acl", pair.here)
            try await shell(
                pair.fitting("cd $1; setfacl -m u:100009:rwx,g:99999:r late"), pair.here)
            try await pair.delta()
            let last = try await pair.target.digest(of: "v", mapped: [])
            #expect(try await pair.source.digest(of: "v", mapped: []) == last && last != first)
            try await target.settleIDs(of: "v")
            try await target.settleIDs(of: "v")
            let facts = try await shell(
                """
                cd $1; stat -c '%n %u %g %a' . setuid var late relative null etc/passwd
                getfacl -ncEp late | sed -nE '/^(user|group):[0-9]/p'
                getfacl -ncEp var/empty | sed -n /user:[0-9]/p
                getcap -n empty caps
                """, pair.there)
            let id = { (inside: UInt32) in start + inside }
            let outside = change.onTarget
            let lists = [
                "user:\(id(9)):rwx", "group:\(outside(99_999)):r--", "default:user:\(id(123)):rwx",
            ].map { $0 + "\n" }.joined()
            #expect(
                facts == """
                    . \(id(0)) \(id(0)) 751
                    setuid \(id(33)) \(id(33)) 6755
                    var \(id(65_535)) \(outside(165_536)) 1777
                    late \(id(7)) \(id(8)) \(ground.hasACLs ? 674 : 644)
                    relative \(id(1)) \(id(2)) 777
                    null \(id(5)) 0 644
                    etc/passwd 0 0 644
                    \(ground.hasACLs ? lists : "")empty cap_net_raw=ep [rootid=\(id(0))]
                    caps cap_net_bind_service=ep

                    """)
            // The same as a copy that is shifted as a whole.
            let copy = "\(Directories.parent(of: pair.here))/copy"
            try await Command("cp", ["-a", pair.here, copy]).check()
            try await IDShift(change).apply(to: copy)
            #expect(try await differences(copy, pair.there) == "")
            #expect(
                try await TreeDigest().digest(of: copy)
                    == pair.target.digest(of: "v", mapped: []))
        }
    }

    @Test(arguments: Ground.all.filter { $0 != .btrfs })
    func `snapshots arrive with the ids of the target, each as what differs from the last`(
        ground: Ground
    ) async throws {
        let change = try Self.change(to: 100_100)
        try await Self.with(ground) { pair in
            let target = try Self.changing(pair)
            let source = try #require(pair.source as? any SnapshotSending)
            let keeping = try #require(pair.target as? any VolumeSnapshotting)
            try await shell("cd $1; echo 1 > one; chown 100001:100001 one .", pair.here)
            for name in ["first", "second"] {
                try await shell("cd $1; echo $2 > $2; chown 100002 $2", pair.here, name)
                try await pair.fitTimes()
                try await source.createSnapshot(name, of: "v")
                try await target.expectIDs(change, in: "v")
                try await pair.snapshot(name, source)
                let digest = try await pair.target.digest(of: "v", mapped: [])
                #expect(try await source.digest(ofSnapshot: name, of: "v") == digest)
                try await target.settleIDs(of: "v")
                try await keeping.createSnapshot(name, of: "v")
            }
            try await target.expectIDs(change, in: "v")
            try await pair.firstPass()
            try await pair.delta()
            #expect(
                try await pair.source.digest(of: "v", mapped: [])
                    == pair.target.digest(of: "v", mapped: []))
            try await target.settleIDs(of: "v")
            for (name, files) in [("first", "first one"), ("second", "first one second")] {
                let tree = try await keeping.path(of: name, in: "v")
                let said = try await shell("cd $1; echo $(ls); stat -c '%u' one first .", tree)
                #expect(said == "\(files)\n100101\n100102\n100101\n")
            }
            #expect(try await shell("stat -c %u $1/second", pair.there) == "100102\n")
        }
    }

    @Test(arguments: [Ground.directory, .overlay])
    func `a digest tells of a file that came to another owner`(ground: Ground) async throws {
        let change = try Self.change(to: 3_000_000)
        try await Self.with(ground) { pair in
            let target = try Self.changing(pair)
            try await shell("cd $1; echo 1 > one; chown 100001:100001 one .", pair.here)
            try await target.expectIDs(change, in: "v")
            try await pair.firstPass()
            let digest = try await pair.source.digest(of: "v", mapped: [])
            #expect(try await pair.target.digest(of: "v", mapped: []) == digest)
            try await shell("chown 5:5 $1/one", pair.there)
            #expect(try await pair.target.digest(of: "v", mapped: []) != digest)
        }
    }

    @Test func `nothing of a mapped tree stays, and its volume can be removed`() async throws {
        try await withScratch { scratch in
            let pool = DirectoryPool(name: "p", path: scratch)
            let root = try await pool.createVolume("v")
            try await pool.expectIDs(Self.change(to: 3_000_000), in: "v")
            #expect(try !SmallFile.text("/proc/self/mountinfo").contains(scratch))
            try await pool.deleteVolume("v")
            #expect(try FileStatus.of(root) == nil)
            #expect(IDMappedTree.open(root, try Self.change(to: 3_000_000)) == nil)
        }
    }
}
