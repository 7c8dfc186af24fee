import Foundation
import LinuxHost
import MigrationCore
import Storage
import TestSupport
import Testing

/// What a driver must do that keeps volumes of instances which have left.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(3)))
struct HostKeptConformanceTests {
    static let kinds = [PoolKind.directory, .btrfs, .zfs, .overlay, .lvm].filter {
        guard Pairing.only == nil else { return $0 == Pairing.only }
        return $0 == .zfs ? TestedZfs.obstacle == nil : $0 != .lvm
    }

    /// 24 MiB that nothing compresses, and every kind of file.
    private static let content = """
        mkdir "$1/big"
        for n in $(seq 24); do dd if=/dev/urandom of="$1/big/$n" bs=1M count=1 status=none; done
        """
    /// About 300 KiB of it.
    private static let change = """
        cd "$1"; dd if=/dev/urandom of=big/3 bs=64K count=2 seek=2 conv=notrunc status=none
        dd if=/dev/urandom of=big/new bs=64K count=2 status=none; rm big/5; mv big/6 big/moved
        """

    @Test(arguments: HostKeptConformanceTests.kinds)
    func `coming home costs what has changed, and so does every later way`(
        kind: PoolKind
    ) async throws {
        try await Journey.with(kind) { journey in
            try await shell(Self.content, journey.root)
            try await shell(journey.fitting(everyKind), journey.root)
            let first = try await journey.move { try await shell("echo x > $1/late", $0) }
            #expect(first > 24 << 20)
            var later: [Int] = []
            for _ in 0..<3 {
                // The renamed file is another one to rsync.
                try await shell(
                    Self.change.replacing("mv big/6 big/moved", with: "touch big"), journey.root)
                later.append(
                    try await journey.move { try await shell("echo y >> $1/late; rm $1/pipe", $0) })
                try await shell("mkfifo $1/pipe; touch $1/big/5", journey.root)
            }
            #expect(later.allSatisfy { $0 < 700 << 10 }, "\(later)")
            report("\(kind.rawValue): first \(first >> 10) KiB, then \(later.map { $0 >> 10 }) KiB")
        }
    }

    @Test(arguments: HostKeptConformanceTests.kinds)
    func `content that has changed behind size and time is found`(kind: PoolKind) async throws {
        try await Journey.with(kind) { journey in
            try await shell(Self.content, journey.root)
            _ = try await journey.move()
            let hide = """
                cd "$1"; time=$(stat -c %y big/7); printf changed | dd of=big/7 conv=notrunc status=none
                touch -d "$time" big/7
                """
            try await shell(hide, journey.root)
            let back = try await journey.move()
            #expect(back < 2 << 20, "\(back)")
            // Here it was changed before it came: the note of the arrival does not tell of that.
            try await shell(hide.replacing("changed", with: "CHANGED"), journey.root)
            _ = try await journey.move(upon: .tree("another"))
            _ = try await journey.move(upon: .unknown)
        }
    }

    @Test(arguments: HostKeptConformanceTests.kinds)
    func `a copy that was written to makes no false volume`(kind: PoolKind) async throws {
        try await Journey.with(kind) { journey in
            try await shell(Self.content, journey.root)
            _ = try await journey.move()
            let copy = try #require(journey.copies["one"])
            let place = Directories.parent(of: journey.there.path(of: "v"))
            let pool = Directories.parent(of: Directories.parent(of: place))
            let kept = kind == .zfs ? place : "\(pool)/kept/\(copy.id)"
            let dataset = "godwit-one/volumes/.kept/\(copy.id)/rootfs"
            // Behind size and time, in the tree and in a snapshot if there is one.
            try await shell(
                """
                [ -z "$2" ] || "$2" mount "$3"
                cd "$1"
                [ ! -L device ] || mount device rootfs
                for tree in rootfs base-* changes/upper; do
                    [ -d $tree/big ] || continue
                    btrfs property set -f -ts $tree ro false 2>/dev/null || true
                    time=$(stat -c %y $tree/big/9)
                    printf damage | dd of=$tree/big/9 conv=notrunc status=none
                    touch -d "$time" $tree/big/9; echo more > $tree/more
                    case $tree in base-*) btrfs property set -ts $tree ro true; sync -f .;; esac
                done
                [ ! -L device ] && [ -z "$2" ] || umount rootfs
                """, kept, journey.zfs?.zfs ?? "", dataset)
            // `move` compares both ends.
            _ = try await journey.move(upon: .unknown)
        }
    }

    @Test(arguments: HostKeptConformanceTests.kinds)
    func `copies are no volumes, keep their snapshots, and go when they are told to`(
        kind: PoolKind
    ) async throws {
        try await Journey.with(kind) { journey in
            let pool = journey.one
            try await shell(journey.fitting(everyKind), journey.root)
            let before = try await pool.digest(of: "v", mapped: [])
            try await pool.createSnapshot("one", of: "v")
            for _ in 0..<2 { try await pool.keepVolume("v", as: "copy") }
            #expect(await !pool.hasVolume("v"))
            #expect(try await pool.keptCopies() == ["copy"])
            // The name is free.
            _ = try await pool.createVolume("v")
            try await pool.deleteVolume("v")
            for _ in 0..<2 { _ = try await pool.takeKept("copy", as: "w") }
            #expect(try await pool.keptCopies() == [])
            #expect(try await pool.digest(of: "w", mapped: []) == before)
            #expect(try await pool.snapshots(of: "w") == ["one"])
            try await pool.keepVolume("w", as: "copy")
            for _ in 0..<2 { try await pool.removeKept("copy") }
            #expect(try await pool.keptCopies() == [])
            let gone = await failure { _ = try await pool.takeKept("copy", as: "w") }
            #expect(gone?.code == .notFound)
            let nothing = await failure { try await pool.keepVolume("w", as: "copy") }
            #expect(nothing?.code == .notFound)
            for name in ["..", "a/b", ".hidden", ""] {
                let error = await failure { try await pool.removeKept(name) }
                #expect(error?.code == .badRequest)
            }
        }
    }

    @Test(arguments: HostKeptConformanceTests.kinds)
    func `a base stays as long as it is wanted`(kind: PoolKind) async throws {
        try await Journey.with(kind) { journey in
            try await shell(Self.content, journey.root)
            _ = try await journey.move()
            let place = Directories.parent(of: journey.root)
            let bases = try Directories.names(in: place).filter { $0.hasPrefix("base-") }
            let keeping = journey.here as? any BaseKeeping
            #expect(bases.count == (keeping?.hasBase(by: journey.here.methods[0]) == true ? 1 : 0))
            try await keeping?.removeBase(of: "v")
            let left = try Directories.names(in: place)
            #expect(left.contains("arrival") && !left.contains { $0.hasPrefix("base-") })
            // All travels then.
            _ = try await journey.move()
        }
    }
}
