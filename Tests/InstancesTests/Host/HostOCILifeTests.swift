import Foundation
import Instances
import LinuxHost
import MigrationCore
import Testing

/// Counts, one line every 20 ms, so that a line lost or doubled shows.
let counting = "n=0; while :; do echo $n; n=$((n+1)); sleep 0.02; done"

@Suite(.serialized, .enabled(if: TestHost.isPossible)) struct HostOCILifeTests {
    @Test func `an instance starts, writes its log and leaves nothing when it is stopped`()
        async throws
    {
        try await TestHost.with { host in
            try await host.makeRoot()
            let definition = try host.definition(
                "trap 'echo bye; exit 7' TERM; echo up; " + counting)
            try await host.driver.start(definition, root: host.root)
            try await host.waitForLog(definition, longerThan: 3)
            let running = try await host.driver.observe(definition)
            #expect(running.status == .running && running.pid != nil && running.processes >= 1)
            #expect(running.memory > .zero && running.cpuNanoseconds > 0)
            try await host.driver.stop(definition, grace: .seconds(10))
            let stopped = try await host.driver.observe(definition)
            #expect(stopped.status == .stopped && stopped.exitStatus == 7)
            #expect(try await host.log(definition).first == "up")
            #expect(try await host.log(definition).last == "bye")
            try await host.driver.remove(definition)
            #expect(try host.leftovers(definition) == [])
            #expect(try await host.log(definition) == [])
        }
    }

    @Test func `an instance that does not listen is killed after its grace`() async throws {
        try await TestHost.with { host in
            try await host.makeRoot()
            let definition = try host.definition("trap '' TERM; " + counting)
            try await host.driver.start(definition, root: host.root)
            try await host.waitForLog(definition, longerThan: 1)
            try await host.driver.stop(definition, grace: .milliseconds(50))
            #expect(try await host.driver.observe(definition).exitStatus == 137)
        }
    }

    @Test func `an instance that ends by itself leaves its exit status and can start again`()
        async throws
    {
        try await TestHost.with { host in
            try await host.makeRoot()
            let definition = try host.definition("echo once; exit 3")
            for _ in 0..<2 {
                try await host.driver.start(definition, root: host.root)
                var observation = try await host.driver.observe(definition)
                for _ in 0..<2000 where observation.exitStatus == nil {
                    try await Task.sleep(for: .milliseconds(5))
                    observation = try await host.driver.observe(definition)
                }
                #expect(observation.status == .stopped && observation.exitStatus == 3)
            }
            #expect(try await host.log(definition) == ["once", "once"])
        }
    }

    @Test func `a command that is not there is a failed start that leaves nothing`() async throws {
        try await TestHost.with { host in
            try await host.makeRoot()
            var definition = try host.definition("true")
            definition.process.command = ["/bin/nothing-here"]
            let error = await #expect(throws: GodwitError.self) {
                try await host.driver.start(definition, root: host.root)
            }
            #expect(error?.code == .toolFailed)
            #expect(error?.cause?.contains("no such file") == true, "\(String(describing: error))")
            #expect(try host.leftovers(definition) == [])
        }
    }

    @Test func `a running instance is not started twice`() async throws {
        try await TestHost.with { host in
            try await host.makeRoot()
            let definition = try host.definition(counting)
            try await host.driver.start(definition, root: host.root)
            await #expect(throws: GodwitError(.alreadyRunning, "")) {
                try await host.driver.start(definition, root: host.root)
            }
            #expect(try await host.driver.observe(definition).status == .running)
        }
    }

    @Test func `a command inside gets its input, environment and user and gives its status`()
        async throws
    {
        try await TestHost.with { host in
            try await host.makeRoot()
            let definition = try host.definition(counting)
            try await host.driver.start(definition, root: host.root)
            let said = try await host.shell(
                "cat; echo $GREETING; id -u; echo oops >&2; exit 5", input: "from outside\n",
                in: definition)
            #expect(said.status == 5)
            #expect(said.output == "from outside\nhello\n0\n")
            #expect(said.errors == "oops\n")
        }
    }

    @Test func `a command inside whose caller is gone is killed`() async throws {
        try await TestHost.with { host in
            try await host.makeRoot()
            let definition = try host.definition("while :; do sleep 0.05; done")
            try await host.driver.start(definition, root: host.root)
            let run = Task {
                try await host.shell("echo begun > /tmp/begun; sleep 1000", in: definition)
            }
            for _ in 0..<2000 where !SmallFile.exists(host.root + "/tmp/begun") {
                try await Task.sleep(for: .milliseconds(5))
            }
            run.cancel()
            _ = await run.result
            for _ in 0..<1000 {
                let lines = try host.commandLines(definition)
                if !lines.contains(where: { $0.contains("1000") }) { return }
                try await Task.sleep(for: .milliseconds(5))
            }
            Issue.record("the command still runs: \(try host.commandLines(definition))")
        }
    }

    @Test func `nothing runs and nothing is left after every call is made twice`() async throws {
        try await TestHost.with { host in
            try await host.makeRoot()
            let definition = try host.definition(counting)
            try await host.driver.start(definition, root: host.root)
            for _ in 0..<2 { try await host.driver.freeze(definition) }
            #expect(try await host.driver.observe(definition).status == .frozen)
            for _ in 0..<2 { try await host.driver.thaw(definition) }
            #expect(try await host.driver.observe(definition).status == .running)
            try await host.driver.freeze(definition)
            for _ in 0..<2 { try await host.driver.end(definition) }
            #expect(try host.leftovers(definition) == [])
            try await host.driver.thaw(definition)
            try await host.driver.discardRestore(definition)
            for _ in 0..<2 { try await host.driver.remove(definition) }
        }
    }
}

extension TestHost {
    func commandLines(_ definition: InstanceDefinition) throws -> [String] {
        try Cgroup(path: "/\(label)/\(definition.name)").processes().compactMap {
            SmallFile.word("/proc/\($0)/cmdline")
        }
    }
}
