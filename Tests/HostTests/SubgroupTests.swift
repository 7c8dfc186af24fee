import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Control groups that an instance makes below its own.
@Suite(
    .enabled(if: (try? CgroupMounts.current().version) == 1, "control groups of version 1"),
    .timeLimit(.minutes(5)))
struct HostSubgroupTests {
    /// Groups in groups, one of them another user's, with limits, processes, a thread and an open
    /// file in them.
    private static let dividing = """
        set -e
        cd /sys/fs/cgroup
        mkdir -p pids/sub/deep memory/sub cpu/sub cpu/other
        echo 9 >pids/sub/pids.max
        echo 7 >pids/sub/deep/pids.max
        echo 67108864 >memory/sub/memory.limit_in_bytes
        echo 512 >cpu/sub/cpu.shares
        chown 33 pids/sub/deep pids/sub/deep/cgroup.procs
        (echo 0 >pids/sub/deep/cgroup.procs; echo 0 >memory/sub/cgroup.procs
         exec 9<pids/sub/deep/pids.max; exec sleep 987654) &
        cd /
        exec python3 -c "$PROGRAM"
        """

    /// A thread of its own in another group than the rest of the process.
    private static let threading = """
        import threading
        def join():
            open('/sys/fs/cgroup/cpu/sub/tasks', 'w').write('0')
            threading.Event().wait()
        threading.Thread(target=join).start()
        """

    /// What the instance itself sees of all this.
    private static let looking = """
        cd /sys/fs/cgroup
        cat pids/sub/pids.max pids/sub/deep/pids.max memory/sub/memory.limit_in_bytes
        cat cpu/sub/cpu.shares
        pid=$(cat pids/sub/deep/cgroup.procs)
        tr '\\0' ' ' </proc/$pid/cmdline; echo
        cat memory/sub/cgroup.procs | grep -cx $pid
        cat /proc/$pid/fd/9
        grep -c "pids:.*/web/sub/deep$\\|memory:.*/web/sub$\\|cpu:.*/web$" /proc/$pid/cgroup
        echo $(wc -l <cpu/sub/tasks) $(wc -l <cpu/other/tasks) $(ls /proc/1/task | wc -l)
        stat -c %u pids/sub pids/sub/deep pids/sub/deep/cgroup.procs pids/sub/deep/pids.max
        find . -type d | sort | tr '\\n' ' '
        """

    @Test(arguments: [[], ["--privileged"]])
    func `groups that an instance has made move with their limits and whoever is in them`(
        kind: [String]
    ) async throws {
        // Users have other numbers on the other host.
        let words = ["b": ["--id-range", "3000000:65536"]]
        try await MoveLab.with(daemonWords: words) { moving in
            let program = Self.threading + "\n" + MoveLab.counting
            let options = ["--delegate-cgroups", "--env", "PROGRAM=\(program)"] + kind
            try await moving.launch(options, ["sh", "-c", Self.dividing])
            let first = try await look(moving, on: "a")
            let start = "9\n7\n67108864\n512\nsleep 987654 \n1\n7\n3\n1 0 2\n0\n33\n33\n0\n"
            #expect(first.hasPrefix(start), "\(first)")
            for (source, target) in [("a", "b"), ("b", "a")] {
                let before = try await moving.lines(source).count
                try await moving.lab.check(source, ["move", "web", "host-\(target):"])
                try await moving.whole(on: target, after: before)
                #expect(try await look(moving, on: target) == first, "on host \(target)")
                #expect(try groups(moving, of: source).isEmpty)
                try await divideFurther(moving, on: target)
            }
            try await moving.lab.check("a", ["delete", "web", "--force"])
            #expect(try groups(moving, of: "a").isEmpty)
        }
    }

    private func look(_ moving: MoveLab, on host: String) async throws -> String {
        try await moving.lab.check(host, ["exec", "web", "--", "sh", "-c", Self.looking])
    }

    /// Where the instance has a group.
    private func groups(_ moving: MoveLab, of host: String) throws -> [String] {
        let path = "/\(moving.lab.cgroupParent(of: host))/web"
        return try CgroupMounts.current().directories(of: path).filter(SmallFile.exists)
    }

    /// It goes on making groups, whose limits hold, and removes them; what is not its to change it
    /// cannot.
    private func divideFurther(_ moving: MoveLab, on host: String) async throws {
        let script = """
            cd /sys/fs/cgroup/pids/sub
            mkdir more && echo 1 >more/pids.max || exit 1
            sh -c 'echo 0 >more/cgroup.procs; sleep 0; exit 0' 2>/dev/null && exit 2
            rmdir more || exit 3
            mkdir /sys/fs/cgroup/devices/sub 2>/dev/null && exit 4
            exit 0
            """
        try await moving.lab.check(host, ["exec", "web", "--", "sh", "-c", script])
    }

    @Test func `an instance cannot lift its own limits, nor make groups unless it may`()
        async throws
    {
        try await MoveLab.with { moving in
            try await moving.launch(["--delegate-cgroups", "--processes", "50"])
            let lift = "echo 100 >/sys/fs/cgroup/pids/pids.max"
            let words = ["exec", "web", "--", "sh", "-c", lift]
            #expect(try await !moving.lab.godwit("a", words).status.isSuccess)
            try await moving.lab.check("a", ["delete", "web", "--force"])
            try await moving.launch()
            let make = ["exec", "web", "--", "mkdir", "/sys/fs/cgroup/pids/sub"]
            #expect(try await !moving.lab.godwit("a", make).status.isSuccess)
        }
    }
}
