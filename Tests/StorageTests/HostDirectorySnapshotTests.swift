import Foundation
import LinuxHost
import MigrationCore
import Storage
import Testing

/// Snapshots that are copies: of trees that change, by a host that dies or runs full.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(2)))
struct HostDirectorySnapshotTests {
    private func withVolume(
        _ body: (DirectoryPool, String, String) async throws -> Void
    ) async throws {
        try await withScratch { scratch in
            let pool = DirectoryPool(name: "p", path: scratch + "/pool")
            let root = try await pool.createVolume("v")
            try await body(pool, root, Directories.parent(of: root) + "/snapshots")
        }
    }

    private func expectSame(_ one: String, _ other: String) async throws {
        let rest = try await differences(one, other)
        #expect(rest == "")
        let (first, second) = try await (
            TreeDigest().digest(of: one), TreeDigest().digest(of: other)
        )
        #expect(first == second)
    }

    @Test func `what changes after most was copied is in the snapshot`() async throws {
        try await withVolume { pool, root, shelf in
            try await shell(everyKind, root)
            try await shell(
                "cd $1; echo before > same; echo before > quiet; touch -d 2020-02-02 same", root)
            try await pool.copyAhead("s", of: "v")
            #expect(try await pool.snapshots(of: "v").isEmpty)
            try await shell(
                """
                cd "$1"; rm -r etc; echo now a file > etc; setfacl -b acl; rm pipe; ln -s / pipe
                echo behind > new; cat new > same; rm new; touch -d 2020-02-02 same
                ln caps caps-too; setcap -r caps; chown 5:6 .; mv $'not-\\xff\\xfe-utf8' $'\\xfe'
                """, root)
            try await pool.createSnapshot("s", of: "v", mapped: [])
            try await expectSame(root, pool.path(of: "s", in: "v"))
            #expect(try read(pool.path(of: "s", in: "v") + "/same") == "behind\n")
            #expect(try Directories.names(in: shelf) == ["s"])
            try await pool.flushSnapshot("s", of: "v")
        }
    }

    @Test func `a mapped file is compared whatever its times say`() async throws {
        try await withVolume { pool, root, shelf in
            try await shell("cd $1; echo one > mapped; touch -d 2020-02-02 mapped", root)
            try await Task.sleep(for: .milliseconds(250))
            try await pool.copyAhead("s", of: "v")
            // As if it had been written to through a mapping since: only the copy differs.
            try await shell(
                "cd $1; echo two > mapped; touch -d 2020-02-02 mapped",
                shelf + "/.making-s/rootfs")
            try await pool.createSnapshot("s", of: "v", mapped: ["/mapped", "/gone"])
            try await expectSame(root, pool.path(of: "s", in: "v"))
        }
    }

    @Test func `a tree that changes all the time is copied ahead, and equal in the end`()
        async throws
    {
        try await withVolume { pool, root, _ in
            try await shell(everyKind, root)
            try await shell("for i in {1..200}; do echo $i > $1/f$i; done", root)
            try await withStorm(in: root) { try await pool.copyAhead("s", of: "v") }
            try await pool.createSnapshot("s", of: "v", mapped: [])
            try await expectSame(root, pool.path(of: "s", in: "v"))
        }
    }

    @Test func `half of anything is no snapshot and goes with the next call`() async throws {
        try await withVolume { pool, root, shelf in
            try await shell("echo x > $1/x", root)
            let halves = """
                cd $1; mkdir -p .making-s/rootfs .deleting/rootfs .restoring; touch .making-s/rootfs/y
                """
            try Directories.make(shelf, mode: 0o700)
            try await shell(halves, shelf)
            #expect(try await pool.snapshots(of: "v").isEmpty)
            try await pool.createSnapshot("s", of: "v")
            #expect(try Directories.names(in: shelf) == ["s"])
            try await expectSame(root, pool.path(of: "s", in: "v"))
            try await shell(halves, shelf)
            try await pool.restoreSnapshot("s", of: "v")
            #expect(try Directories.names(in: shelf) == ["s"])
            try await shell(halves, shelf)
            try await pool.deleteSnapshot("none", of: "v")
            #expect(try Directories.names(in: shelf) == ["s"])
            // One that is copied ahead and then given up.
            try await pool.copyAhead("t", of: "v")
            try await pool.deleteSnapshot("t", of: "v")
            #expect(try Directories.names(in: shelf) == ["s"])
            try await pool.createSnapshot("t", of: "v", mapped: [])
            try await expectSame(root, pool.path(of: "t", in: "v"))
        }
    }

    @Test func `a copy that waits becomes the volume, unless something else came first`()
        async throws
    {
        try await withVolume { pool, root, shelf in
            for name in ["one", "two"] {
                try write(name, to: root + "/file")
                try await pool.createSnapshot(name, of: "v")
            }
            try await pool.copyBack("one", of: "v")
            try write("late", to: root + "/file")
            try await pool.restoreSnapshot("one", of: "v")
            #expect(try read(root + "/file") == "one")
            #expect(try Directories.names(in: shelf) == ["one", "two"])
            try await pool.copyBack("one", of: "v")
            try await pool.restoreSnapshot("two", of: "v")
            #expect(try read(root + "/file") == "two")
            // The copy is gone with the next call, and made anew.
            try await pool.copyBack("one", of: "v")
            try await pool.createSnapshot("three", of: "v")
            try await pool.restoreSnapshot("one", of: "v")
            #expect(try read(root + "/file") == "one")
            try await pool.copyBack("two", of: "v")
            try await pool.deleteSnapshot("two", of: "v")
            let gone = await failure { try await pool.restoreSnapshot("two", of: "v") }
            #expect(gone?.code == .notFound)
        }
    }

    @Test func `where there is no room nothing is begun and the volume stays`() async throws {
        try await withScratch { scratch in
            try await withTmpfs(at: scratch + "/small", size: "40m") {
                let pool = DirectoryPool(name: "p", path: scratch + "/small/p")
                let root = try await pool.createVolume("v")
                try await shell("head -c 9M /dev/urandom > $1/big", root)
                try await pool.createSnapshot("one", of: "v")
                let before = try await shell("md5sum < $1/big", root)
                for name in ["two", "three"] {
                    let error = await failure {
                        if name == "two" {
                            try await pool.createSnapshot(name, of: "v")
                        } else {
                            try await pool.copyAhead(name, of: "v")
                        }
                    }
                    #expect(error?.code == .noSpace)
                    #expect(error?.remedy != nil)
                }
                let restored = await failure { try await pool.restoreSnapshot("one", of: "v") }
                #expect(restored?.code == .noSpace)
                #expect(try await shell("md5sum < $1/big", root) == before)
                #expect(try await pool.snapshots(of: "v") == ["one"])
            }
        }
    }

    @Test func `nobody but root passes to a snapshot`() async throws {
        try await withVolume { pool, _, shelf in
            try await pool.createSnapshot("s", of: "v")
            #expect(try await shell("stat -c %a $1 $1/s", shelf) == "700\n700\n")
        }
    }

    @Test func `five thousand small files and a big one are kept, brought up to date, restored`()
        async throws
    {
        try await withVolume { pool, root, _ in
            try await shell(
                """
                cd $1; mkdir {0..49}; for d in {0..49}; do for f in {0..99}; do echo $d.$f > $d/$f; done; done
                head -c 256M /dev/urandom > big
                """, root)
            let clock = ContinuousClock()
            let still = try await clock.measure { try await pool.createSnapshot("one", of: "v") }
            let ahead = try await clock.measure { try await pool.copyAhead("two", of: "v") }
            try await shell("echo changed >> $1/7/7", root)
            let rest = try await clock.measure {
                try await pool.createSnapshot("two", of: "v", mapped: [])
            }
            let flush = try await clock.measure { try await pool.flushSnapshot("two", of: "v") }
            let back = try await clock.measure { try await pool.restoreSnapshot("one", of: "v") }
            report(
                "a snapshot of what stands still: \(still); ahead \(ahead), then \(rest); "
                    + "flush \(flush); restore \(back)")
            #expect(try read(root + "/7/7") == "7.7\n")
            #expect(try read(pool.path(of: "two", in: "v") + "/7/7") == "7.7\nchanged\n")
        }
    }
}
