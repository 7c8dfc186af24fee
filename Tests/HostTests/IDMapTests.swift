import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Instances that have other host ids on the target than on the source, with the real daemons.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(4)))
struct HostIDMapTests {
    private static let home = 1_000_000
    private static let root = "/var/lib/godwit/pools/default/volumes/web/rootfs"

    /// Processes of several users, each of which looks at its ids, and at those of its files on
    /// disk and in memory, and writes down whether they are its own.
    private static let program = """
        import os, time, itertools
        def be(user):
            os.setgroups([user, 44]); os.setgid(user); os.setuid(user)
            lines = open(f'/work/{user}', 'w', buffering=1)
            memory = open(f'/dev/shm/{user}', 'w')
            held = os.memfd_create('held')
            for n in itertools.count(1):
                new = open(f'/work/{user}.new', 'w')
                seen = [os.stat(f'/work/{user}'), os.fstat(lines.fileno()), os.fstat(new.fileno())]
                seen += [os.fstat(memory.fileno()), os.fstat(held), os.stat('/proc/self')]
                os.unlink(f'/work/{user}.new')
                own = all((s.st_uid, s.st_gid) == (user, user) for s in seen)
                own = own and os.getresuid() == (user,) * 3 and os.getresgid() == (user,) * 3
                own = own and sorted(os.getgroups()) == sorted([user, 44])
                lines.write(f'{n} {own}' + chr(10))
                time.sleep(0.02)
        os.makedirs('/work', exist_ok=True)
        os.chmod('/work', 0o1777)
        for user in (33, 1000, 65533):
            if os.fork() == 0:
                be(user)

        """ + MoveLab.counting

    private static let prepare = """
        cd "$1"; b=$2; mkdir kept; chown $b:$b kept; cd kept
        echo s >setuid; chown $((b+33)):$((b+44)) setuid; chmod 6755 setuid; ln setuid link
        echo a >acl; chown $b:$((b+65535)) acl; setfacl -m u:$((b+7)):rw,g:$((b+8)):r acl
        setfacl -d -m u:$((b+9)):rwx .; echo c >caps; chown $b:$b caps; setcap -n $b cap_net_raw+ep caps
        ln -s nowhere symbolic; chown -h $((b+5)):$((b+6)) symbolic
        mknod null c 1 3; chown $((b+1)) null
        """

    private static let look = """
        cd "$1/kept"; b=$2
        stat -c '%n %u %g %a' . setuid link acl caps symbolic null | while read n u g a
        do if [ $n = null ]; then g=$((g+b)); fi; echo $n $((u-b)) $((g-b)) $a; done
        getfacl -ncEp acl . | sed -nE 's/^((default:)?(user|group):)([0-9]+):(.*)/\\1 \\4 \\5/p' |
        while read k i r; do echo $k $((i-b)) $r; done
        getcap -n caps | sed "s/rootid=$b/rootid=first/"
        """

    private static let expected = """
        . 0 0 755
        setuid 33 44 6755
        link 33 44 6755
        acl 0 65535 664
        caps 0 0 664
        symbolic 5 6 777
        null 1 0 664
        user: 7 rw-
        group: 8 r--
        default:user: 9 rwx
        caps cap_net_raw=ep [rootid=first]

        """

    private func files(_ moving: MoveLab, on host: String, from first: Int) async throws -> String {
        try await moving.lab.host(host).check(
            ["bash", "-euc", Self.look, "sh", Self.root, "\(first)"])
    }

    /// Every user has been itself all the time, and goes on.
    private func expectUsers(_ moving: MoveLab, on host: String) async throws {
        for user in [33, 1_000, 65_533] {
            let words = ["exec", "web", "--", "cat", "/work/\(user)"]
            let before = try await moving.lab.check(host, words).split(separator: "\n").count
            var lines: [String] = []
            try await eventually("user \(user) goes on") {
                let said = try await moving.lab.check(host, words)
                lines = said.split(separator: "\n").dropLast().map(String.init)
                return lines.count > before + 5
            }
            #expect(lines == (1...lines.count).map { "\($0) True" })
        }
    }

    private func launch(_ moving: MoveLab, _ options: [String] = []) async throws {
        try await moving.launch(options, ["python3", "-c", Self.program])
        try await moving.lab.host("a").check(
            ["bash", "-euc", Self.prepare, "sh", Self.root, "\(Self.home)"])
        #expect(try await files(moving, on: "a", from: Self.home) == Self.expected)
    }

    /// A range apart from the other host's, and one that overlaps it.
    @Test(arguments: [3_000_000, 1_010_000])
    func `users and files are the same inside, moved live and cold, there and back`(
        first: Int
    ) async throws {
        try await MoveLab.with(daemonWords: ["b": ["--id-range", "\(first):65536"]]) { moving in
            let lab = moving.lab
            try await launch(moving)
            let firsts = ["a": Self.home, "b": first]
            var isFirst = true
            for mode in [[], ["--cold"]] {
                for (source, target) in [("a", "b"), ("b", "a")] {
                    try await expectUsers(moving, on: source)
                    let plan = try await lab.check(
                        source, ["move", "web", "host-\(target):", "--dry-run"] + mode)
                    let there = try #require(firsts[target])
                    #expect(plan.contains("host ids \(there) to \(there + 65_535) there"))
                    let before = try await moving.lines(source).count
                    let report = try await lab.move("web", from: source, to: target, mode)
                    // What has been there is known again, whosever it was on the way.
                    let sent = report.bytes["volume"] ?? 0
                    #expect(isFirst ? sent > 50 << 20 : sent < 6 << 20, "\(sent)")
                    isFirst = false
                    if mode.isEmpty {
                        try await moving.whole(on: target, after: before)
                        figure("to \(there): \(report.downtimeMilliseconds ?? 0) ms frozen")
                    } else {
                        try await eventually("it runs") { try await moving.lines(target).count > 2 }
                    }
                    #expect(try await files(moving, on: target, from: there) == Self.expected)
                    let info = try await lab.check(target, ["info", "web"])
                    #expect(info.contains("\(there)"))
                }
            }
            try await expectUsers(moving, on: "a")
        }
    }

    /// Their state knows the ids of the other host.
    @Test func `snapshots and stateful stops go on under the other ids`() async throws {
        try await MoveLab.with(daemonWords: ["b": ["--id-range", "1010000:65536"]]) { moving in
            let lab = moving.lab
            try await launch(moving)
            try await lab.check("a", ["snapshot", "web", "--stateful"])
            try await lab.host("a").check(["rm", Self.root + "/kept/acl"])
            try await lab.check("a", ["snapshot", "web"])
            _ = try await lab.move("web", from: "a", to: "b")
            for host in ["b", "a"] {
                let first = host == "a" ? Self.home : 1_010_000
                if host == "a" { _ = try await lab.move("web", from: "b", to: "a") }
                try await lab.check(host, ["restore", "web", "snap0"])
                #expect(try await files(moving, on: host, from: first) == Self.expected)
                try await moving.whole(on: host, after: moving.lines(host).count)
                try await expectUsers(moving, on: host)
                try await lab.check(host, ["stop", "web", "--stateful"])
                try await lab.check(host, ["start", "web"])
                try await expectUsers(moving, on: host)
                try await lab.check(host, ["copy", "web/snap1", "trial"])
                let copied = Self.root.replacing("/web/", with: "/trial/")
                let owner = try await lab.host(host).check(
                    ["stat", "-c", "%u", copied + "/kept/setuid"])
                #expect(owner == "\(first + 33)\n")
                try await lab.check(host, ["start", "trial"])
                try await lab.check(host, ["delete", "trial", "--force"])
            }
        }
    }

    /// On a filesystem without idmapped mounts files are given away when all have come.
    @Test func `a target killed while it gives files away has none, and the next move succeeds`()
        async throws
    {
        try await MoveLab.with(daemonWords: ["b": ["--id-range", "3000000:65536"]]) { moving in
            let lab = moving.lab
            try await lab.check("a", ["pool", "create", "slow", "directory"])
            let overlay = """
                cd /var/lib/godwit; mkdir o o/l o/u o/w o/m
                mount -t overlay -o lowerdir=o/l,upperdir=o/u,workdir=o/w godwit o/m
                """
            try await lab.host("b").check(["sh", "-ec", overlay])
            try await lab.check(
                "b", ["pool", "create", "slow", "directory", "source=/var/lib/godwit/o/m"])
            try await moving.launch(["--pool", "slow"])
            let fill = "mkdir /many; i=0; while [ $i -lt 20000 ]; do : >/many/$i; i=$((i+1)); done"
            try await lab.check("a", ["exec", "web", "--", "sh", "-c", fill])
            let volume = "/var/lib/godwit/o/m/volumes/web/rootfs"
            let tree = lab.host("b").path(volume)
            async let result = moving.move()
            var owners: Set<UInt32> = []
            try await eventually("files are given away", within: 60) {
                let deadline = ContinuousClock.now + .milliseconds(500)
                while ContinuousClock.now < deadline {
                    if let owner = try? FileStatus.of(tree)?.user { owners.insert(owner) }
                    if owners.contains(3_000_000) { return true }
                }
                return false
            }
            let last = try FileStatus.of(tree + "/many/19999")?.user
            try await lab.stopDaemon(on: "b", signal: SIGKILL)
            let ended = try await result
            #expect(owners.contains(1_000_000), "it has come with the ids of the source")
            #expect(!ended.status.isSuccess && last == 1_000_000, "the test proves nothing")
            let words = lab.daemonWords(of: "b") + ["--id-range", "3000000:65536"]
            try lab.startService(on: "b", words)
            try await lab.waitUntilReady("b")
            try await moving.whole(on: "a", after: moving.lines("a").count)
            try await eventually("host b is clean", within: 30) {
                let plan = try? await lab.check("a", ["move", "web", "host-b:", "--dry-run"])
                return try plan != nil && FileStatus.of(tree) == nil
            }
            let before = try await moving.lines("a").count
            let report = try await lab.move("web", from: "a", to: "b")
            try await moving.whole(on: "b", after: before)
            figure("20000 files given away: \(report.downtimeMilliseconds ?? 0) ms frozen")
            let strangers = try await lab.host("b").check(
                ["find", volume, "!", "-uid", "+2999999", "-print", "-quit"])
            #expect(strangers == "")
        }
    }

    @Test func `fewer ids than the instance has are refused with the cure`() async throws {
        try await MoveLab.with(daemonWords: ["a": ["--id-range", "1000000:65537"]]) { moving in
            try await moving.launch()
            let refused = try await moving.lab.godwit("a", ["move", "web", "host-b:"])
            #expect(refused.status == .exited(2))
            #expect(refused.errorText.contains("1000000 to 1065536"))
            #expect(refused.errorText.contains("--id-range START:COUNT"))
        }
    }
}
