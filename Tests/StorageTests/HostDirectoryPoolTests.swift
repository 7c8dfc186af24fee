import Foundation
import LinuxHost
import MigrationCore
import Storage
import Testing

@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(1)))
struct HostDirectoryPoolTests {
    private func withPool(_ body: (DirectoryPool, String) async throws -> Void) async throws {
        try await withScratch { scratch in
            try await body(DirectoryPool(name: "p", path: scratch + "/pool"), scratch + "/pool")
        }
    }

    @Test func `a volume can be passed through by all and listed by none`() async throws {
        try await withPool { pool, path in
            let root = try await pool.createVolume("v")
            #expect(root == pool.path(of: "v"))
            let modes = try await shell(
                "stat -c %a $1 $1/volumes $1/volumes/v $1/volumes/v/rootfs", path)
            #expect(modes == "711\n711\n711\n755\n")
        }
    }

    @Test func `creating again is allowed while the volume is empty`() async throws {
        try await withPool { pool, _ in
            let root = try await pool.createVolume("v")
            #expect(try await pool.createVolume("v") == root)
            try write("x", to: root + "/x")
            #expect(await failure { _ = try await pool.createVolume("v") }?.code == .nameTaken)
        }
    }

    @Test func `a volume is renamed once and stays what it is`() async throws {
        try await withPool { pool, _ in
            try write("x", to: try await pool.createVolume("v") + "/x")
            try await pool.renameVolume("v", to: "w")
            try await pool.renameVolume("v", to: "w")
            #expect(await !pool.hasVolume("v"))
            #expect(try read(pool.path(of: "w") + "/x") == "x")
            _ = try await pool.createVolume("v")
            let taken = await failure { try await pool.renameVolume("v", to: "w") }
            #expect(taken?.code == .nameTaken)
            let missing = await failure { try await pool.renameVolume("none", to: "n") }
            #expect(missing?.code == .notFound)
        }
    }

    @Test func `deleting removes all, links are not followed, and again is no error`() async throws
    {
        try await withPool { pool, path in
            let root = try await pool.createVolume("v")
            try await shell("mkdir $1/keep; echo x > $1/keep/x; ln -s $1/keep $2/link", path, root)
            try await pool.deleteVolume("v")
            try await pool.deleteVolume("v")
            #expect(try Directories.names(in: path + "/volumes") == [])
            #expect(try read(path + "/keep/x") == "x\n")
        }
    }

    @Test func `what a crash left of a deletion goes with the next call`() async throws {
        try await withPool { pool, path in
            _ = try await pool.createVolume("v")
            try await shell("mkdir -p $1/volumes/.deleting-old/rootfs/etc", path)
            _ = try await pool.createVolume("w")
            #expect(try Directories.names(in: path + "/volumes") == ["v", "w"])
        }
    }

    @Test(arguments: ["", ".", "..", "a/b", "../x", ".hidden", "a\n", "%x", "ä"])
    func `a name that leads elsewhere is refused`(name: String) async throws {
        try await withPool { pool, _ in
            #expect(await failure { _ = try await pool.createVolume(name) }?.code == .badRequest)
            #expect(await failure { try await pool.deleteVolume(name) }?.code == .badRequest)
            #expect(await !pool.hasVolume(name))
        }
    }

    @Test func `used space counts a hard link once and a hole not at all`() async throws {
        try await withPool { pool, _ in
            let root = try await pool.createVolume("v")
            let empty = try await pool.used(by: "v").bytes
            try await shell("head -c 1M /dev/zero > $1/a; ln $1/a $1/b; truncate -s 9M $1/c", root)
            let used = try await pool.used(by: "v").bytes
            #expect(used - empty >= 1 << 20 && used - empty < 2 << 20)
        }
    }

    @Test func `facts name the filesystem and what is free on it`() async throws {
        try await withScratch { scratch in
            try await withTmpfs(at: scratch + "/t", size: "4m") {
                let facts = try await DirectoryPool(name: "p", path: scratch + "/t/p").facts()
                #expect(facts.driver == "directory")
                #expect(facts.filesystem == "tmpfs")
                #expect(facts.available <= .mebibytes(4) && facts.available > .mebibytes(3))
            }
        }
    }

    @Test func `a path that rsync would read otherwise is refused at both ends`() async throws {
        try await withScratch { scratch in
            let pair = try await PoolPair(Pairing.all[0], scratch, target: scratch + "/50% off")
            let error = await failure { try await pair.firstPass() }
            #expect(error?.code == .badRequest)
        }
    }
}
