import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// A userfaultfd taken out of running programs.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct HostInjectionTests {
    static let modes = [
        "spin", "sleep", "read", "epoll", "poll", "futex", "threads", "signals", "coroutine",
        "filtered", "leaderless",
    ]

    @Test(arguments: modes)
    func `a program does not notice that its memory is watched`(mode: String) async throws {
        try await Workload.run(mode) { workload in
            var longest = Duration.zero
            for _ in 0..<20 {
                let (protection, stopped) = try await install(in: workload.pid)
                longest = max(longest, stopped)
                #expect(stopped > .zero)
                #expect(workload.userfaultfds.isEmpty)
                protection.close()
                try await workload.goOn(1)
            }
            try await workload.isFree()
            #expect(workload.report.interrupted == 0)
            #expect(longest < .seconds(1))
        }
    }

    @Test(arguments: modes)
    func `killed at any step, the injector leaves a program that runs`(mode: String) async throws {
        try await Workload.run(mode) { workload in
            let injector = try await WorkloadPrograms.path("injector")
            var killed = 0
            for step in 1...17 {
                let result = try await Command(injector, ["\(workload.pid)", "\(step)"]).run()
                killed += result.text.contains("injecting process was killed") ? 1 : 0
                try await workload.isFree()
                #expect(workload.userfaultfds.count <= 1)
                // Takes over what the killed one left, so that the next begins afresh.
                try await install(in: workload.pid).0.close()
                #expect(workload.userfaultfds.isEmpty)
            }
            #expect(killed == 17)
            try await workload.isFree()
        }
    }

    @Test(arguments: ["spin", "sleep", "epoll", "threads", "signals", "filtered"])
    func `killed at any moment, the injector leaves a program that runs`(
        mode: String
    ) async throws {
        try await Workload.run(mode) { workload in
            let injector = try await WorkloadPrograms.path("injector")
            let null = try Descriptor.open("/dev/null", O_RDWR)
            for attempt in 0..<40 {
                let child = try ChildProcess.start(
                    Command(injector, ["\(workload.pid)"]),
                    descriptors: [(null, 0), (null, 1), (null, 2)])
                // From its start through the injection to its end.
                let end = ContinuousClock.now + .microseconds(attempt * 100)
                while ContinuousClock.now < end { await Task.yield() }
                // Alone it leaves the process behind that does the work, which goes on to its end.
                if attempt.isMultiple(of: 4) {
                    child.signal(SIGKILL)
                } else {
                    child.signalGroup(SIGKILL)
                }
                _ = await child.wait()
                try await workload.isFree()
            }
            try await install(in: workload.pid).0.close()
            #expect(workload.userfaultfds.isEmpty)
            try await workload.isFree()
        }
    }

    @Test func `a stopped program stays stopped and goes on when it is told to`() async throws {
        try await Workload.run("sleep") { workload in
            kill(workload.pid, SIGSTOP)
            try await eventually("it stops") { workload.status("State") == ["T (stopped)"] }
            try await install(in: workload.pid).0.close()
            try await eventually("it is stopped again") {
                workload.status("State") == ["T (stopped)"]
            }
            let injector = try await WorkloadPrograms.path("injector")
            for step in [3, 5, 7, 8, 12, 16] {
                _ = try await Command(injector, ["\(workload.pid)", "\(step)"]).run()
                try await eventually("it is stopped again after step \(step)") {
                    workload.status("State") == ["T (stopped)"]
                }
            }
            kill(workload.pid, SIGCONT)
            try await workload.isFree()
        }
    }

    @Test func `a program that a filter would kill is refused and lives`() async throws {
        try await Workload.run("deadly") { workload in
            let error = await refusal(workload.pid)
            #expect(error?.code == .refused)
            #expect(error?.message.contains("seccomp filter that kills") == true)
            try await workload.isFree()
        }
    }

    @Test func `a program in uninterruptible sleep is given up soon and not held`() async throws {
        try await Workload.run("spin") { _ in
            let program = try await WorkloadPrograms.path("workload")
            let file = "\(WorkloadPrograms.directory)/vfork"
            let null = try Descriptor.open("/dev/null", O_RDWR)
            let parent = try ChildProcess.start(
                Command(program, ["vfork", file]), descriptors: [(null, 0), (null, 1), (null, 2)],
                endsItsGroup: true)
            try await eventually("it sleeps") { ProcessTable.entry(parent.pid)?.state == "D" }
            let began = ContinuousClock.now
            let error = await refusal(parent.pid)
            #expect(ContinuousClock.now - began < .seconds(5))
            #expect(error?.code == .busy && error?.message.contains("does not stop") == true)
            #expect(ProcessTable.tracer(of: parent.pid) == nil)
            parent.signalGroup(SIGKILL)
            _ = await parent.wait()
            try? SmallFile.remove(file)
        }
    }

    @Test func `a program that another traces is refused`() async throws {
        try await Workload.run("spin") { workload in
            let tracer = """
                import ctypes, sys
                libc = ctypes.CDLL(None)
                libc.ptrace(0x4206, \(workload.pid), 0, 0)
                sys.stdout.write("traced\\n"); sys.stdout.flush()
                sys.stdin.read()
                """
            let tool = try ConversingTool.start(Command("python3", ["-c", tracer]))
            async let said = tool.said()
            #expect(
                try await blocking { try tool.output.read(upTo: 100) } == Array("traced\n".utf8))
            let error = await refusal(workload.pid)
            #expect(error?.code == .refused && error?.message.contains("is traced") == true)
            tool.input.close()
            _ = await tool.child.wait()
            _ = try await said
            try await workload.isFree()
        }
    }

    @Test func `killed while it watches, the watcher leaves nothing behind`() async throws {
        try await Workload.run("spin") { workload in
            let lazy = try Mappings.readFlags(of: workload.pid).filter(\.isLazilyRestorable)
            let range = try #require(lazy.first).range
            let injector = try await WorkloadPrograms.path("injector")
            for _ in 0..<5 {
                let tool = try ConversingTool.start(
                    Command(
                        injector,
                        ["\(workload.pid)", "\(range.lowerBound)", "\(range.upperBound)"]))
                async let said = tool.said()
                let word = try await blocking { try tool.output.read(upTo: 100) }
                #expect(word == Array("watching\n".utf8))
                #expect(try watched(workload.pid).map(\.range) == [range])
                tool.child.signal(SIGKILL)
                _ = await tool.child.wait()
                _ = try await said
                #expect(try watched(workload.pid) == [])
                #expect(workload.userfaultfds.isEmpty)
                try await workload.isFree()
            }
        }
    }

    @Test func `a userfaultfd that the program uses is left alone`() async throws {
        try await Workload.run("watching") { workload in
            #expect(workload.userfaultfds.count == 1)
            try await install(in: workload.pid).0.close()
            #expect(workload.userfaultfds.count == 1)
            try await workload.isFree()
        }
    }

    @Test func `a 32-bit program is refused`() async throws {
        let program = try await WorkloadPrograms.path("small")
        let text = program + ".c"
        let code = "void _start(void) { for (;;) __asm__ volatile(\"pause\"); }"
        try SmallFile.replace(text, with: Array(code.utf8))
        let flags = ["-m32", "-nostdlib", "-static", "-fno-pie", "-no-pie"]
        // Neither every compiler makes such programs nor every kernel runs them.
        guard try await Command("cc", flags + ["-o", program, text]).run().status.isSuccess,
            let child = try? ChildProcess.start(Command(program, []), descriptors: [])
        else { return }
        let error = await refusal(child.pid)
        child.signal(SIGKILL)
        guard await child.wait() == .signalled(SIGKILL) else { return }
        #expect(error?.code == .refused && error?.message.hasSuffix("runs 32-bit code") == true)
    }

    @Test func `a process that has ended is refused`() async throws {
        var pid: Int32 = 0
        try await Workload.run("spin") { pid = $0.pid }
        #expect(await refusal(pid)?.code == .busy)
    }
}

private func install(in pid: Int32) async throws -> (WriteProtection, Duration) {
    var last: (any Error)?
    // A loaded machine may not let it stop in time.
    for _ in 0..<20 {
        do {
            return try await blocking { try WriteProtection.install(in: pid) }
        } catch let error as GodwitError where error.code == .busy {
            last = error
        }
    }
    throw last ?? GodwitError(.internalFault, "no attempt")
}

private func watched(_ pid: Int32) throws -> [Mapping] {
    try Mappings.readFlags(of: pid).filter { $0.flags.contains(.writeProtected) }
}

private func refusal(_ pid: Int32) async -> GodwitError? {
    do {
        try await install(in: pid).0.close()
        return nil
    } catch { return error as? GodwitError }
}
