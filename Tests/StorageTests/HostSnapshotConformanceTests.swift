import Foundation
import LinuxHost
import MigrationCore
import Storage
import Testing

/// What a driver that keeps snapshots must do, whichever it is.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(5)))
struct HostSnapshotConformanceTests {
    /// A pool with a volume `v` that holds every kind of file.
    private func withVolume(
        _ kind: Pairing,
        _ body: (any VolumePool, any VolumeSnapshotting, String) async throws -> Void
    ) async throws {
        try await PoolPair.with(kind) { pair in
            let keeping = try #require(pair.source as? any VolumeSnapshotting)
            try await shell(pair.fitting(everyKind), pair.here)
            try await body(pair.source, keeping, pair.here)
        }
    }

    private func digest(_ path: String) async throws -> String {
        try await TreeDigest().digest(of: path)
    }

    private func expectSame(_ one: String, _ other: String) async throws {
        let rest = try await differences(one, other)
        #expect(rest == "")
        let (first, second) = try await (digest(one), digest(other))
        #expect(first == second)
    }

    @Test(arguments: Pairing.alike)
    func `a snapshot is the tree as it was, whatever happens to that`(
        kind: Pairing
    ) async throws {
        try await withVolume(kind) { _, pool, root in
            let before = try await digest(root)
            try await pool.createSnapshot("one", of: "v")
            try await expectSame(root, pool.path(of: "one", in: "v"))
            let blocks = try await shell("stat -c %b $1/sparse", pool.path(of: "one", in: "v"))
            #expect((Int(blocks.dropLast()) ?? .max) < 1_024, "a sparse file has grown")
            try await shell("cd $1; echo more >> etc/passwd; rm -r var; chown 9:9 .", root)
            try await pool.createSnapshot("two", of: "v")
            try await shell("cd $1; rm -rf -- *", root)
            #expect(try await digest(pool.path(of: "one", in: "v")) == before)
            #expect(try await digest(pool.path(of: "two", in: "v")) != before)
            #expect(try await pool.snapshots(of: "v") == ["one", "two"])
        }
    }

    @Test(arguments: Pairing.alike)
    func `a restore makes the volume what it was, again and again`(kind: Pairing) async throws {
        try await withVolume(kind) { volume, pool, root in
            _ = try await volume.digest(of: "v", mapped: [])
            try await pool.createSnapshot("one", of: "v")
            let before = try await digest(root)
            for change in ["rm -rf -- *", "echo new > new; mv etc other", "true"] {
                try await shell("cd $1; \(change)", root)
                try await pool.createSnapshot("two", of: "v")
                try await pool.restoreSnapshot("one", of: "v")
                #expect(volume.path(of: "v") == root)
                #expect(try await digest(root) == before)
                // What was remembered of the tree before is not taken for this one's.
                #expect(try await volume.digest(of: "v", mapped: []) == before)
                #expect(try await pool.snapshots(of: "v") == ["one", "two"])
                try await pool.deleteSnapshot("two", of: "v")
            }
            // It can be written to, and the snapshot does not see it.
            try await shell("cd $1; echo x > x", root)
            #expect(try await digest(pool.path(of: "one", in: "v")) == before)
        }
    }

    @Test(arguments: Pairing.alike)
    func `names are taken once, and what is not there is told`(kind: Pairing) async throws {
        try await withVolume(kind) { volume, pool, _ in
            try await pool.createSnapshot("one", of: "v")
            let taken = await failure { try await pool.createSnapshot("one", of: "v") }
            #expect(taken?.code == .nameTaken)
            let missing = await failure { try await pool.restoreSnapshot("two", of: "v") }
            #expect(missing?.code == .notFound)
            let nowhere = await failure { try await pool.createSnapshot("one", of: "none") }
            #expect(nowhere?.code == .notFound)
            try await pool.deleteSnapshot("two", of: "v")
            try await pool.deleteSnapshot("one", of: "none")
            for name in ["", ".", "..", "a/b", "../v", ".hidden", "a\n"] {
                let error = await failure { try await pool.createSnapshot(name, of: "v") }
                #expect(error?.code == .badRequest)
                let other = await failure { try await pool.deleteSnapshot(name, of: "v") }
                #expect(other?.code == .badRequest)
            }
            try await pool.deleteSnapshot("one", of: "v")
            try await pool.deleteSnapshot("one", of: "v")
            #expect(try await pool.snapshots(of: "v").isEmpty)
            #expect(await volume.hasVolume("v"))
            try await pool.createSnapshot("one", of: "v")
        }
    }

    @Test(arguments: Pairing.alike)
    func `snapshots go with their volume`(kind: Pairing) async throws {
        try await withVolume(kind) { volume, pool, root in
            let before = try await digest(root)
            try await pool.createSnapshot("one", of: "v")
            try await volume.renameVolume("v", to: "w")
            #expect(try await pool.snapshots(of: "w") == ["one"])
            #expect(try await pool.snapshots(of: "v").isEmpty)
            try await shell("cd $1; rm -rf -- *", volume.path(of: "w"))
            try await pool.restoreSnapshot("one", of: "w")
            #expect(try await digest(volume.path(of: "w")) == before)
            try await volume.deleteVolume("w")
            #expect(try await pool.snapshots(of: "w").isEmpty)
            _ = try await volume.createVolume("w")
            #expect(try await pool.snapshots(of: "w").isEmpty)
        }
    }

    @Test(arguments: Pairing.alike)
    func `a volume that was restored travels as it is`(kind: Pairing) async throws {
        try await PoolPair.with(kind) { pair in
            let pool = try #require(pair.source as? any VolumeSnapshotting)
            try await shell(pair.fitting(everyKind), pair.here)
            try await pool.createSnapshot("one", of: "v")
            try await pair.firstPass()
            try await shell("cd $1; rm -rf -- *; echo late > late", pair.here)
            try await pool.restoreSnapshot("one", of: "v")
            try await pair.firstPass()
            try await pair.delta()
            try await pair.expectEqual()
        }
    }

    @Test(arguments: Pairing.alike)
    func `a snapshot makes a volume of its own`(kind: Pairing) async throws {
        try await withVolume(kind) { volume, pool, root in
            let before = try await digest(root)
            try await pool.createSnapshot("one", of: "v")
            try await shell("cd $1; rm -rf -- *", root)
            let copy = try await volume.createVolume("w")
            try await RootImporter().copyTree(from: pool.path(of: "one", in: "v"), into: copy)
            #expect(try await digest(copy) == before)
            let again = await failure {
                try await RootImporter().copyTree(
                    from: pool.path(of: "one", in: "v"), into: copy)
            }
            #expect(again?.code == .nameTaken)
        }
    }

    @Test(arguments: Pairing.alike)
    func `snapshots travel oldest first, and the volume after them`(kind: Pairing) async throws {
        try await PoolPair.with(kind) { pair in
            let source = try #require(pair.source as? any SnapshotSending)
            let target = try #require(pair.target as? any VolumeSnapshotting)
            try await shell(pair.fitting(everyKind), pair.here)
            // Sizes and times stay as they are while contents change.
            let same = "cd $1; printf %s $2 > same; touch -d 2020-02-02 same; chown 3 same"
            let changes = [
                "true", "rm -r etc; echo now a file > etc", "mkdir more; setfacl -b acl",
            ]
            for (number, change) in changes.enumerated() {
                try await shell(same, pair.here, "\(number)")
                try await shell(pair.fitting("cd $1; \(change)"), pair.here)
                try await source.createSnapshot("s\(number)", of: "v")
            }
            try await shell(same, pair.here, "9")
            var sent: [Int] = []
            for name in ["s0", "s1", "s2"] {
                sent.append(try await pair.snapshot(name, source))
                let arrived = try await pair.target.digest(of: "v", mapped: [])
                #expect(try await source.digest(ofSnapshot: name, of: "v") == arrived)
                try await target.createSnapshot(name, of: "v")
            }
            try await pair.firstPass()
            try await pair.delta()
            try await pair.expectEqual()
            #expect(try await target.snapshots(of: "v") == ["s0", "s1", "s2"])
            for name in ["s0", "s1", "s2"] {
                try await expectSame(
                    source.path(of: name, in: "v"), target.path(of: name, in: "v"))
            }
            report("snapshots on the wire: \(sent)")
            #expect(try await source.used(bySnapshotsOf: "v") > .zero)
        }
    }
}
