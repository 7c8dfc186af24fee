import Foundation
import Instances
import LinuxHost
import MigrationCore
import Synchronization
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: TestHost.isPossible)) struct HostOCIMoveTests {
    @Test(arguments: [TestHost.idMap, nil])
    func `a moved instance counts on, with its log, and is managed as before`(idMap: IDMap?)
        async throws
    {
        try await TestHost.pair(counting, idMap: idMap) { source, target, definition in
            let before = try await source.freezeWhenBusy(definition)
            try await target.receive(definition, from: source)
            let times = try await target.driver.restore(
                definition, root: target.root, options: MoveOptions())
            #expect(times["restore"] != nil && times["network"] != nil)
            try await source.driver.end(definition)
            #expect(try source.leftovers(definition) == [])

            try await target.waitForLog(definition, longerThan: 5)
            let after = try await target.log(definition).compactMap { Int($0) }
            #expect(after.first == before.count)
            #expect(after == Array(before.count..<before.count + after.count))
            #expect(try await target.shell("id -u", in: definition).output == "0\n")
            #expect(try await target.driver.observe(definition).status == .running)
            try await target.driver.stop(definition, grace: .milliseconds(100))
            #expect(try await target.driver.observe(definition).exitStatus == 137)
            try await target.driver.remove(definition)
            #expect(try target.leftovers(definition) == [])
        }
    }

    @Test func `an instance moves there and back and there again`() async throws {
        try await TestHost.pair(counting) { source, target, definition in
            var (here, there) = (source, target)
            for _ in 0..<3 {
                _ = try await here.freezeWhenBusy(definition)
                try await there.receive(definition, from: here)
                _ = try await there.driver.restore(
                    definition, root: there.root, options: MoveOptions())
                try await here.driver.end(definition)
                try await there.waitForLog(
                    definition, longerThan: try await there.log(definition).count + 2)
                swap(&here, &there)
            }
            let lines = try await source.log(definition) + target.log(definition)
            let numbers = lines.compactMap { Int($0) }.sorted()
            #expect(numbers == Array(0..<numbers.count))
        }
    }

    @Test func `a paused move stands frozen until it is let run`() async throws {
        try await TestHost.pair(counting) { source, target, definition in
            _ = try await source.freezeWhenBusy(definition)
            let options = MoveOptions(isPaused: true)
            try await target.receive(definition, from: source, options: options)
            _ = try await target.driver.restore(definition, root: target.root, options: options)
            #expect(try await target.driver.observe(definition).status == .frozen)
            try await target.driver.thaw(definition)
            try await target.waitForLog(definition, longerThan: 2)
        }
    }

    @Test func `a source that is thawed after its checkpoint goes on without a gap`() async throws {
        try await TestHost.pair(counting) { source, target, definition in
            let before = try await source.freezeWhenBusy(definition)
            try await target.receive(definition, from: source)
            #expect(try await source.driver.observe(definition).status == .frozen)
            try await target.driver.discardRestore(definition)
            #expect(try target.leftovers(definition) == [])
            try await source.driver.thaw(definition)
            try await source.waitForLog(definition, longerThan: before.count + 5)
            let after = try await source.log(definition).compactMap { Int($0) }
            #expect(after == Array(0..<after.count))
        }
    }

    @Test func `a restore that fails says why, leaves nothing, and the source goes on`()
        async throws
    {
        let script = "exec 5<>/data; " + counting
        try await TestHost.pair(script, file: "12345678") { source, target, definition in
            let before = try await source.freezeWhenBusy(definition)
            try await target.receive(definition, from: source)
            try target.write("123", to: "data")
            let error = await #expect(throws: GodwitError.self) {
                _ = try await target.driver.restore(
                    definition, root: target.root, options: MoveOptions())
            }
            #expect(error?.code == .restoreFailed)
            #expect(error?.cause?.contains("has bad size") == true, "\(String(describing: error))")
            #expect(error?.remedy?.contains("freeze the volume") == true)
            let log = "\(target.directory)/state/logs/migrations/witness-restore.log"
            #expect(error?.message.contains(log) == true && SmallFile.exists(log))
            try await target.driver.discardRestore(definition)
            #expect(try target.leftovers(definition) == [])
            try await source.driver.thaw(definition)
            try await source.waitForLog(definition, longerThan: before.count + 2)
        }
    }

    @Test func `what CRIU cannot dump is a failed checkpoint with its line, and no harm`()
        async throws
    {
        try await TestHost.with { host in
            try await host.makeRoot()
            let definition = try host.definition("unshare -U sleep 1000 & " + counting)
            try await host.driver.start(definition, root: host.root)
            let before = try await host.freezeWhenBusy(definition)
            let error = await #expect(throws: GodwitError.self) {
                try await host.driver.dump(definition, options: MoveOptions())
            }
            #expect(error?.code == .checkpointFailed)
            #expect(
                error?.cause?.contains("nested user namespace") == true,
                "\(String(describing: error))")
            #expect(error?.remedy?.contains("user namespace") == true)
            #expect(try await host.driver.observe(definition).status == .frozen)
            try await host.driver.thaw(definition)
            try await host.waitForLog(definition, longerThan: before.count + 2)
        }
    }

    @Test func `files that an instance has mapped shared and writable are named`() async throws {
        try await TestHost.with { host in
            try await host.makeRoot()
            let program = """
                #include <fcntl.h>
                #include <stdio.h>
                #include <sys/mman.h>
                #include <unistd.h>
                int main(void) {
                    mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, open("/data", O_RDWR), 0);
                    mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, open("/other", O_RDWR), 0);
                    void *third =
                        mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, open("/third", O_RDWR), 0);
                    mprotect(third, 4096, PROT_READ);
                    puts("mapped");
                    fflush(stdout);
                    pause();
                }
                """
            try await Command(
                "clang", ["-static", "-x", "c", "-", "-o", host.root + "/bin/mapper"]
            ).check(input: Array(program.utf8))
            for name in ["data", "other", "third"] { try host.write("x", to: name) }
            let definition = try host.definition("exec /bin/mapper")
            try await host.driver.start(definition, root: host.root)
            try await host.waitForLog(definition, longerThan: 0)
            let paths = try await host.driver.writableMappings(definition, root: host.root)
            #expect(paths == ["/data", "/third"])
        }
    }
}

extension TestHost {
    /// Two hosts with the same volume; the instance runs on the first.
    static func pair(
        _ script: String, idMap: IDMap? = TestHost.idMap, file: String? = nil,
        interfaces: [InterfaceDefinition] = [],
        _ body: (TestHost, TestHost, InstanceDefinition) async throws -> Void
    ) async throws {
        try await with { source in
            try await with { target in
                try await source.makeRoot(idMap: idMap)
                let definition = try source.definition(
                    script, idMap: idMap, interfaces: interfaces)
                if let file { try source.write(file, to: "data") }
                try await target.copyRoot(of: source)
                try await source.driver.start(definition, root: source.root)
                try await body(source, target, definition)
            }
        }
    }

    /// Makes a file of the root filesystem that everyone may write.
    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(root)/\(name)"))
        guard unsafe chmod("\(root)/\(name)", 0o666) == 0 else {
            throw GodwitError.kernel("change the mode of \(name)")
        }
    }

    /// Freezes the instance once it has written some lines; returns all that it has written.
    func freezeWhenBusy(_ definition: InstanceDefinition) async throws -> [Substring] {
        try await waitForLog(definition, longerThan: 5)
        try await driver.freeze(definition)
        // What was on its way to the log when the tasks stood still arrives; nothing follows.
        var lines = try await log(definition)
        while true {
            try await Task.sleep(for: .milliseconds(30))
            let next = try await log(definition)
            if next.count == lines.count { return next }
            lines = next
        }
    }

    /// The whole way of the process state, both halves at once.
    func receive(
        _ definition: InstanceDefinition, from source: TestHost,
        options: MoveOptions = MoveOptions()
    ) async throws {
        try await driver.prepareRestore(definition, root: root)
        let stream = MemoryStream()
        let progressed = Atomic<UInt64>(0)
        try await source.driver.dump(definition, options: options)
        async let sent = source.driver.sendCheckpoint(
            definition, over: stream, progress: { _ in })
        let received = try await driver.receiveCheckpoint(
            definition, root: root, options: options, from: stream
        ) { count in
            progressed.store(count.bytes, ordering: .relaxed)
        }
        let left = try await sent
        #expect(left.digest == received.digest && left.bytes == received.bytes)
        #expect(progressed.load(ordering: .relaxed) == received.bytes.bytes)
        #expect(left.statistics["pages_written"] ?? 0 > 0)
        #expect(!SmallFile.exists("\(source.runDirectory)/instances/witness/images"))
    }
}
