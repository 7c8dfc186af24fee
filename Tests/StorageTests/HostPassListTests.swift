import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Passes that only look at what has changed.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(3))) struct HostPassListTests {
    /// What the target has elsewhere would be removed by a pass that looks at the whole tree.
    @Test(arguments: Pairing.all.filter { $0.target == .directory && $0.source != .zfs })
    func `nothing else is looked at`(pairing: Pairing) async throws {
        try await PoolPair.with(pairing) { pair in
            try await shell("cd $1; mkdir one two; echo x > one/x; echo y > two/y", pair.here)
            try await untilSettled()
            try await pair.firstPass()
            try write("", to: pair.there + "/two/more")
            try await shell("echo z >> $1/one/x", pair.here)
            try await pair.nextPass()
            #expect(try read(pair.there + "/one/x") == "x\nz\n")
            try await shell("echo z >> $1/one/x", pair.here)
            try await pair.delta()
            #expect(try read(pair.there + "/one/x") == "x\nz\nz\n")
            #expect(try Directories.names(in: pair.there + "/two") == ["more", "y"])
            try await shell("touch $1/two/new", pair.here)
            try await pair.delta()
            try await pair.expectEqual()
        }
    }

    /// Nothing but which directory is where tells that their files are others.
    @Test(arguments: Pairing.all)
    func `directories that change places bring their files`(pairing: Pairing) async throws {
        try await PoolPair.with(pairing) { pair in
            try await shell(twins, pair.here)
            try await untilSettled()
            try await pair.firstPass()
            try await shell("touch $1/new", pair.here)
            try await pair.nextPass()
            try await untilSettled()
            try await shell(exchange, pair.here)
            try await pair.nextPass()
            #expect(try await differences(pair.here, pair.there) == "")
            try await untilSettled()
            try await shell(exchange, pair.here)
            try await pair.delta()
            try await pair.expectEqual()
        }
    }

    @Test(arguments: Pairing.alike.filter { [.directory, .overlay].contains($0.source) })
    func `a snapshot has directories that change places as they are`(
        pairing: Pairing
    ) async throws {
        try await PoolPair.with(pairing) { pair in
            let pool = try #require(pair.source as? any SnapshotCopying)
            try await shell(twins, pair.here)
            try await untilSettled()
            try await pool.copyAhead("s", of: "v")
            try await untilSettled()
            try await shell(exchange, pair.here)
            try await pool.createSnapshot("s", of: "v", mapped: [])
            #expect(try await differences(pair.here, pool.path(of: "s", in: "v")) == "")
        }
    }

    @Test(arguments: Pairing.all, seeds)
    func `whatever is done between passes arrives`(pairing: Pairing, seed: Int) async throws {
        try await PoolPair.with(pairing) { pair in
            try await change(pair.here, seed: seed, count: 200)
            try await untilSettled()
            try await pair.firstPass()
            for round in 1...3 {
                try await untilSettled()
                let said = try await change(pair.here, seed: 1_000 * seed + round, count: 12)
                if round < 3 { try await pair.nextPass() } else { try await pair.delta() }
                let rest = try await differences(pair.here, pair.there)
                #expect(rest == "", "after \(said)")
            }
            try await pair.expectEqual()
        }
    }

    @Test(arguments: Pairing.alike.filter { [.directory, .overlay].contains($0.source) }, seeds)
    func `whatever is done before a snapshot is in it`(pairing: Pairing, seed: Int) async throws {
        try await PoolPair.with(pairing) { pair in
            let pool = try #require(pair.source as? any SnapshotCopying)
            try await change(pair.here, seed: seed, count: 200)
            try await untilSettled()
            try await pool.copyAhead("s", of: "v")
            try await untilSettled()
            let said = try await change(pair.here, seed: 1_000 * seed, count: 12)
            try await pool.createSnapshot("s", of: "v", mapped: [])
            let rest = try await differences(pair.here, pool.path(of: "s", in: "v"))
            #expect(rest == "", "after \(said)")
        }
    }

    private static let seeds: [Int] = {
        let all = ProcessInfo.processInfo.environment["GODWIT_SEEDS"].flatMap(Int.init) ?? 1
        return Array(1...all)
    }()

    /// What was done before the pass does not count as done since.
    private func untilSettled() async throws { try await Task.sleep(for: .milliseconds(150)) }

    /// - Returns: what was done.
    @discardableResult
    private func change(_ root: String, seed: Int, count: Int) async throws -> String {
        try await Command("python3", ["-c", changes, root, "\(seed)", "\(count)"]).check()
    }
}

/// Files that only their content and directories tell apart.
private let twins = """
    cd $1; mkdir -p p/one p/other; echo 1 > p/one/x; echo 2 > p/other/x
    touch -d 2001-01-01 p/one/x p/other/x p/one p/other
    """
private let exchange = "cd $1/p; mv one third; mv other one; mv third other"

/// Random changes of a tree, of every kind that its directories and inodes can see.
private let changes = #"""
    import ctypes, os, random, shutil, stat, sys
    os.chdir(sys.argv[1])
    dice = random.Random(int(sys.argv[2]))
    names = ["a", "b", "c", "d", "#e", ";f", " g ", "h\ni", "-v", "*", "[j]", "k\\l", "...", "m", "n"]
    libc = ctypes.CDLL(None)

    def all(wanted):
        found = []
        for place, directories, files in os.walk("."):
            for name in sorted(directories) if wanted == "directory" else sorted(files):
                path = os.path.join(place, name)
                if wanted == "any" or wanted == "directory" and not os.path.islink(path) or \
                   wanted == "file" and stat.S_ISREG(os.lstat(path).st_mode): found.append(path)
        return sorted(found + (["."] if wanted == "directory" else []))
    def one(wanted):
        found = all(wanted)
        return dice.choice(found) if found else None
    def fresh(): return os.path.join(one("directory"), dice.choice(names))
    def write(path, text):
        if os.path.exists(path) and not os.path.isfile(path): raise FileExistsError
        with open(path, "a") as file: file.write(text)
    def inside(path, other): return (os.path.normpath(path) + "/").startswith(os.path.normpath(other) + "/")

    def make(): write(fresh(), "x" * dice.randrange(9000))
    def append(): write(one("file"), "more")
    def keep():
        path = one("file"); was = os.lstat(path)
        with open(path, "r+b") as file: file.write(dice.randbytes(was.st_size))
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    def remove(): os.unlink(one("any"))
    def directory(): os.mkdir(fresh())
    def directories():
        path = fresh(); os.makedirs(path + "/p/q")
        for name in "xyz": write(path + "/p/" + name, name); write(path + "/p/q/" + name, name)
    def clear(): shutil.rmtree(one("directory"))
    def rename():
        path, new = one("any"), fresh()
        if not os.path.isdir(new): os.rename(path, new)
    def move():
        path, new = one("directory"), fresh()
        if path != "." and not inside(new, path) and not inside(path, new):
            if os.path.lexists(new): (shutil.rmtree if os.path.isdir(new) else os.unlink)(new)
            os.rename(path, new)
    def exchange():
        path, other = one("directory"), one(dice.choice(["directory", "any"]))
        if not inside(path, other) and not inside(other, path):
            libc.renameat2(-100, os.fsencode(path), -100, os.fsencode(other), 2)
    def away():
        path = one("directory")
        if path != ".": os.rename(path, "away"); os.rename("away", path)
    def link(): os.link(one("file"), fresh())
    def symlink(): os.symlink("nowhere", fresh())
    def fifo(): os.mkfifo(fresh())
    def mode(): os.chmod(one(dice.choice(["file", "directory"])), dice.choice([0o700, 0o755, 0o711]))
    def owner(): os.chown(one("any"), dice.randrange(9), 5, follow_symlinks=False)
    def attribute(): os.setxattr(one(dice.choice(["file", "directory"])), "user.a", dice.randbytes(9))
    def time(): os.utime(one(dice.choice(["file", "directory"])), (1, dice.randrange(10 ** 9)))
    def file():
        path = one("directory")
        if path != ".": shutil.rmtree(path); write(path, "file")

    kinds = [make, make, make, append, keep, remove, directory, directories, directories, rename, move,
             move, exchange, away, link, link, symlink, fifo, mode, owner, attribute, time]
    for number in range(int(sys.argv[3])):
        kind = dice.choice(kinds + ([clear, file] if number % 8 == 7 else []))
        try: kind(); sys.stdout.write(kind.__name__ + " ")
        except (FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError, TypeError): pass
        except OSError as error:
            if error.errno not in (18, 22, 39, 40): raise
    """#
