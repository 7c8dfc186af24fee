import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// What a volume driver must keep, whichever it is, between two hosts.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(3)))
struct HostVolumeConformanceTests {
    @Test(arguments: Pairing.all)
    func `an empty volume travels with what its root says`(pairing: Pairing) async throws {
        try await PoolPair.with(pairing) { pair in
            try await shell("chown 7:8 $1; chmod 2711 $1; touch -d 2001-01-01 $1", pair.here)
            try await pair.firstPass()
            try await pair.delta()
            try await pair.expectEqual()
        }
    }

    @Test(arguments: Pairing.all)
    func `every kind of file arrives as it is`(pairing: Pairing) async throws {
        try await PoolPair.with(pairing) { pair in
            try await shell(pair.fitting(everyKind), pair.here)
            try await pair.firstPass()
            try await pair.delta()
            try await pair.expectEqual()
            let facts = try await shell(
                "cd $1; stat -c '%a %u %h %F' setuid etc/passwd null socket; getcap caps",
                pair.there)
            #expect(
                facts == """
                    6755 100033 1 regular file
                    644 0 3 regular file
                    644 100005 1 character special file
                    755 100005 1 socket
                    caps cap_net_bind_service=ep

                    """)
            let blocks = try await shell("stat -c %b $1/sparse", pair.there)
            #expect((Int(blocks.dropLast()) ?? .max) < 1_024, "a sparse file has grown")
        }
    }

    /// Whatever is done to a tree shows, so that a delta is left out only where there is none.
    @Test(
        arguments: Pairing.alike.filter { $0.source != .zfs || TestedZfs.isInKernel },
        [
            "true", "echo more >> file", "echo same > file; touch -d 2001-01-01 file", "rm file",
            "mv directory elsewhere", "ln file other", "chmod 600 file", "touch directory/new",
            "setfattr -n user.a -v b file", "chown 5:6 .", "rm directory/deep/link",
        ])
    func `a change is seen`(pairing: Pairing, change: String) async throws {
        try await PoolPair.with(pairing) { pair in
            try await shell(
                "cd $1; mkdir -p directory/deep; echo same > file; ln -s x directory/deep/link; "
                    + "touch -d 2001-01-01 file", pair.here)
            // The kernel's clock of inodes ticks; what was made within a tick of the pass counts.
            if pair.method != .btrfs { try await Task.sleep(for: .milliseconds(250)) }
            try await pair.firstPass()
            try await shell("cd $1; \(change)", pair.here)
            let hasChanged = try await pair.source.hasChanged("v", mapped: [])
            #expect(hasChanged == (change != "true"))
            let mapped = try await pair.source.hasChanged("v", mapped: ["/file"])
            #expect(mapped)
        }
    }

    @Test(arguments: Pairing.all)
    func `a delta brings every change and every removal`(pairing: Pairing) async throws {
        try await PoolPair.with(pairing) { pair in
            try await shell(pair.fitting(everyKind), pair.here)
            try await pair.firstPass()
            let changes =
                """
                cd "$1"; rm -r etc; echo now a file > etc; rm sparse; mkdir -p sparse/now/a/directory
                rm absolute; echo plain > absolute; rm pipe; ln -s / pipe; setfacl -b acl
                setcap -r caps; setfattr -x user.colour attributes; setfattr -x user.root .
                mv $'not-\\xff\\xfe-utf8' $'\\xfe'; chmod 700 var; chown 5:6 "with space/third"
                ln caps caps-too; rm null; mknod null c 1 5; rm -r $'new\\nline'
                """
            try await shell(pair.fitting(changes), pair.here)
            try await pair.delta()
            try await pair.expectEqual()
            try await pair.expectClean()
        }
    }

    @Test(arguments: Pairing.all)
    func `a change that keeps size and time arrives`(pairing: Pairing) async throws {
        try await PoolPair.with(pairing) { pair in
            try write("before", to: pair.here + "/file")
            try await shell("touch -d 2020-02-02 $1/file; ln $1/file $1/other", pair.here)
            try await pair.firstPass()
            try write("behind", to: pair.here + "/new")
            try await shell(
                "cat $1/new > $1/file; rm $1/new; touch -d 2020-02-02 $1/file", pair.here)
            try await pair.delta()
            #expect(try read(pair.there + "/other") == "behind")
            try await pair.expectEqual()
        }
    }

    @Test(arguments: Pairing.byRsync)
    func `a mapped file is compared whatever its times say`(pairing: Pairing) async throws {
        try await PoolPair.with(pairing) { pair in
            // The target's copy differs without a trace at the source, as after a write through a
            // mapping.
            let fill =
                "for f in mapped $'not-\\xff-utf8'; do echo $2 > \"$1/$f\"; "
                + "touch -d 2020-02-02 \"$1/$f\"; done"
            try await shell(fill, pair.here, "source")
            try await shell("ln $1/mapped $1/link", pair.here)
            try await untilOld(FileTime.now())
            try await pair.firstPass()
            try await shell(fill, pair.there, "target")
            try await pair.delta()
            #expect(try read(pair.there + "/mapped") == "target\n", "the test proves nothing")
            let mapped: Set = ["/mapped", "/not-\u{FFFD}-utf8", "/gone", "/../../etc/passwd"]
            try await pair.delta(mapped: mapped)
            #expect(try read(pair.there + "/link") == "source\n")
            try await pair.expectEqual(mapped: mapped)
        }
    }

    @Test(arguments: Pairing.all)
    func `a write through a mapping arrives`(pairing: Pairing) async throws {
        try await PoolPair.with(pairing) { pair in
            try await shell("head -c 64K /dev/zero > $1/mapped", pair.here)
            let beside = Directories.parent(of: pair.here)
            async let writer: Void = mapAndWrite(pair.here + "/mapped", tokens: beside)
            do {
                try await untilThere(beside + "/mapped")
                try await pair.firstPass()
                try write("", to: beside + "/go")
                try await untilThere(beside + "/written")
                try await pair.delta(mapped: ["/mapped"])
                try await pair.expectEqual(mapped: ["/mapped"])
                #expect(try await shell("head -c 20001 $1/mapped | tail -c 1", pair.there) == "x")
            } catch {
                try write("", to: beside + "/go")
                try write("", to: beside + "/end")
                try await writer
                throw error
            }
            try write("", to: beside + "/end")
            try await writer
        }
    }

    @Test(arguments: Pairing.all)
    func `an interrupted pass is an error at both ends and can be sent again`(
        pairing: Pairing
    ) async throws {
        try await PoolPair.with(pairing) { pair in
            try await shell("head -c 8M /dev/urandom > $1/big; echo x > $1/small", pair.here)
            let error = await failure { try await pair.firstPass(cutAfter: 3 << 20) }
            #expect(error?.code == .linkLost)
            // Whoever gives it up looks at what has come.
            _ = try await pair.target.digest(of: "v", mapped: [])
            await pair.target.forgetDigest(of: "v")
            try await pair.firstPass()
            try await pair.delta()
            try await pair.expectEqual()
            #expect(try Directories.names(in: pair.there) == ["big", "small"])
            try await pair.expectClean()
        }
    }

    @Test(arguments: Pairing.all)
    func `a full target says so at both ends and keeps the source whole`(
        pairing: Pairing
    ) async throws {
        try await withFullTarget(pairing) { pair in
            try await shell("head -c 8M /dev/urandom > $1/big", pair.here)
            let error = await failure { try await pair.firstPass() }
            #expect(error?.code == .noSpace)
            #expect(error?.remedy != nil)
            let cause = error?.cause ?? ""
            #expect(cause.contains("No space left") || cause.contains("out of space"))
            // rsync leaves the beginning of the file; into a thin pool it only shows once all is
            // written out.
            let left = try Directories.names(in: pair.there)
            let isStream = [.btrfs, .zfs, .lvm].contains(pair.method)
            #expect(left == [] || (!isStream && left == ["big"]))
            try await pair.target.deleteVolume("v")
            #expect(await !pair.target.hasVolume("v"))
        }
    }

    @Test(arguments: Pairing.all)
    func `a tree that changes all the time arrives as it was in the end`(
        pairing: Pairing
    ) async throws {
        try await PoolPair.with(pairing) { pair in
            try await shell(pair.fitting(everyKind), pair.here)
            try await shell("for i in {1..200}; do echo $i > $1/f$i; done", pair.here)
            try await withStorm(in: pair.here) {
                try await pair.firstPass()
                _ = try await pair.source.digest(of: "v", mapped: [])
                _ = try await pair.target.digest(of: "v", mapped: [])
                try await pair.firstPass()
                for _ in 0..<2 where try await pair.source.hasChanged("v", mapped: []) {
                    try await pair.nextPass()
                }
            }
            try await pair.delta()
            try await pair.expectEqual()
        }
    }

    /// Sizes and times are what they were, so that nothing but the inodes tells.
    @Test(arguments: Pairing.all)
    func `what changes between passes comes with the next one`(pairing: Pairing) async throws {
        try await PoolPair.with(pairing) { pair in
            try await shell(
                "cd $1; for i in {1..9}; do echo old > f$i; done; echo x > gone", pair.here)
            try await pair.firstPass()
            func change(_ name: String) async throws {
                try await shell(
                    """
                    cd $1; touch -r \(name) /tmp/.$$; echo new > \(name)
                    touch -r /tmp/.$$ \(name); rm /tmp/.$$
                    """, pair.here)
            }
            try await change("f1")
            try await shell("rm $1/gone; mkdir $1/more; echo y > $1/more/y", pair.here)
            #expect(try await pair.source.hasChanged("v", mapped: []))
            try await pair.nextPass()
            try await pair.expectEqual()
            try await change("f2")
            #expect(try await pair.source.hasChanged("v", mapped: []))
            try await pair.nextPass()
            try await change("f2")
            try await change("f3")
            try await pair.delta()
            try await pair.expectEqual()
            try await pair.expectClean()
        }
    }

    @Test(arguments: Pairing.alike)
    func `five thousand small files and a big one travel`(pairing: Pairing) async throws {
        try await PoolPair.with(pairing) { pair in
            try await shell(
                """
                cd $1; mkdir {0..49}; for d in {0..49}; do for f in {0..99}; do echo $d.$f > $d/$f; done; done
                head -c 128M /dev/urandom > big
                """, pair.here)
            let clock = ContinuousClock()
            let first = try await clock.measure { try await pair.firstPass() }
            let sent = try await pair.source.used(by: "v")
            try await shell("echo changed >> $1/7/7", pair.here)
            var bytes = 0
            let second = try await clock.measure { bytes = try await pair.delta() }
            report(
                "\(pairing.testDescription): first pass of \(sent.bytes >> 20) MiB: \(first); "
                    + "delta: \(second), \(bytes) bytes")
            #expect(bytes < 1 << 20)
            let cold = try await clock.measure { try await pair.expectEqual() }
            let warm = try await clock.measure {
                _ = try await pair.source.digest(of: "v", mapped: [])
            }
            report("digests and comparison: \(cold); digest again: \(warm)")
        }
    }
}

/// Two pools, of which the target's has less than 8 MiB.
private func withFullTarget(
    _ pairing: Pairing, _ body: (PoolPair) async throws -> Void
) async throws {
    try await PoolPair.withGround(pairing) { scratch, zfs in
        let small = "\(scratch)/small"
        // The others would fill the disk.
        guard [.btrfs, .lvm, .zfs].contains(pairing.target) else {
            return try await withTmpfs(at: small, size: "2m") {
                try await body(
                    try await PoolPair(pairing, scratch, target: "\(small)/b", zfs: zfs))
            }
        }
        let pair = try await PoolPair(
            pairing, scratch, target: small, targetSize: Limit.smallestPool, zfs: zfs)
        try await pair.fillTarget(pairing.target)
        try await body(pair)
    }
}

extension PoolPair {
    /// Leaves less than 8 MiB in the target's pool.
    fileprivate func fillTarget(_ kind: PoolKind) async throws {
        if kind == .zfs {
            let filler = try await target.createVolume("filler")
            // Newer versions store no zeros.
            let script = """
                head -c 4M /dev/urandom > $1/block
                (while cat $1/block; do :; done) > $1/filler 2>/dev/null || sync -f $1
                """
            try await shell(script, filler)
            return
        }
        guard kind == .lvm else {
            try await shell(
                "cat /dev/zero > $1/filler 2>/dev/null || sync -f $1", there + "/../..")
            return
        }
        // The filesystem of one is full before the pool is.
        for (name, most) in [("filler", 64), ("another", UInt64.max)] {
            let filler = try await target.createVolume(name)
            let left = try await target.facts().available.bytes >> 20
            // A thin volume takes blocks for its tables, too; it may be full before the end.
            let script = "head -c $2M /dev/zero > $1/f || :; sync -f $1 || :"
            try await shell(script, filler, "\(min(most, left - 7))")
        }
        #expect(try await target.facts().available < .mebibytes(8))
    }
}

/// Writes to a file through a mapping, once told to and without a word to the kernel.
private func mapAndWrite(_ path: String, tokens: String) async throws {
    let script = """
        import mmap, os, sys, time
        path, tokens = sys.argv[1:]
        def tell(name): open(f"{tokens}/{name}", "w").close()
        def wait(name):
            while not os.path.exists(f"{tokens}/{name}"): time.sleep(0.01)
        mapping = mmap.mmap(os.open(path, os.O_RDWR), 65536)
        mapping[0] = mapping[20000] = ord("y"); tell("mapped")
        wait("go"); mapping[20000] = ord("x"); tell("written")
        wait("end"); [os.unlink(f"{tokens}/{name}") for name in ("mapped", "go", "written", "end")]
        """
    try await Command("python3", ["-c", script, path, tokens]).check()
}

private func untilThere(_ path: String) async throws {
    let start = ContinuousClock.now
    while try FileStatus.of(path) == nil {
        try #require(start.duration(to: .now) < .seconds(20), "\(path) does not come")
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// Returns when a change at the moment is too old to be taken for one during a first pass that
/// begins now.
private func untilOld(_ moment: FileTime) async throws {
    while FileTime.now().earlier(byMilliseconds: 2_100) < moment {
        try await Task.sleep(for: .milliseconds(50))
    }
}

/// Writes, renames, links and deletes below the path while the body runs.
func withStorm(in path: String, _ body: () async throws -> Void) async throws {
    let script = """
        cd "$1"; i=0; while [ -e f1 ]; do i=$((i+1)); n=$((i % 200 + 1)); m=$((i * 7 % 200 + 2))
        echo $i.$i > f$m || :; [ $((i % 3)) = 0 ] && mv f$m f$((n + 1)) 2>/dev/null || :
        [ $((i % 5)) = 0 ] && rm -f f$((n + 1)) || :; [ $((i % 7)) = 0 ] && ln f$m link$n 2>/dev/null || :
        if [ $((i % 11)) = 0 ]; then rm -rf d$n; mkdir d$n; echo $i > d$n/x; fi
        if [ $((i % 13)) = 0 ]; then rm -rf d$n; echo file > d$n; fi; done
        """
    async let storm = Command("bash", ["-c", script, "sh", path]).run()
    do { try await body() } catch {
        _ = try? await shell("rm -f $1/f1", path)
        _ = try await storm
        throw error
    }
    try await shell("rm -f $1/f1", path)
    _ = try await storm
}
