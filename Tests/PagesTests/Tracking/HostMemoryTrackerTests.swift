import Foundation
import LinuxHost
import MigrationCore
import Pages
import TestSupport
import Testing

/// All processes of a storm under one tracker.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct HostMemoryTrackerTests {
    @Test(arguments: [TrackerKind.writeProtect, .hash], ["wmrdfe", "wmrdve"])
    func `processes that come, go and execute programs are followed`(
        kind: TrackerKind, kinds: String
    ) async throws {
        try await Storm.run(kinds) { storm in
            let tracker = MemoryTracker(chain: TrackerChain([kind])) { storm.processes }
            var models: [TaskID: Model] = [:]
            var watched = 0
            for cycle in 0..<10 {
                for _ in 0..<4 { try await take(tracker, &models, isLast: false) }
                try await storm.stop()
                let last = try await take(tracker, &models, isLast: true)
                for part in last.parts {
                    let model = models[part.task] ?? Model()
                    watched += part.found.tracked.isEmpty ? 0 : 1
                    let wrong = model.differences(from: part.found, of: part.pid)
                    #expect(wrong == [], "cycle \(cycle), task \(part.task)")
                }
                storm.goOn()
            }
            // A program that was executed just before the last round is not watched in it.
            #expect(watched >= 5)
            await tracker.close()
            // None may end between the list and the look.
            try await storm.stop()
            for pid in storm.processes { #expect(try protectedMappings(of: pid) == 0) }
        }
    }

    @discardableResult
    private func take(
        _ tracker: MemoryTracker, _ models: inout [TaskID: Model], isLast: Bool
    ) async throws -> MemoryRound {
        let round = try await tracker.round(isLast: isLast)
        for part in round.parts {
            let told = Told(tracker: tracker, task: part.task)
            models[part.task, default: Model()].take(part.found.dirty, of: part.pid, for: told)
        }
        return round
    }

    @Test func `a program that executes another is watched anew`() async throws {
        let tool = try ConversingTool.start(
            Command("sh", ["-c", "echo one; read line; exec sh -c 'echo two; read line; exit'"]))
        async let said = tool.said()
        try await hears("one\n", from: tool)
        let pid = tool.child.pid
        let tracker = MemoryTracker { [pid] }
        let first = try await tracker.round()
        let part = try #require(first.parts.first)
        #expect(part.choice.kind == .writeProtect && part.choice.refusals == [])
        #expect(first.stopped > .zero && part.task == TaskID(pid) && part.pid == pid)
        #expect(try await tracker.round().stopped == .zero)
        try tool.input.write(Array("go\n".utf8)[...])
        try await hears("two\n", from: tool)
        let second = try await tracker.round()
        let anew = try #require(second.parts.first)
        #expect(anew.choice.kind == .writeProtect && second.stopped > .zero)
        #expect(anew.found.dirty == anew.found.present && !anew.found.tracked.isEmpty)
        await tracker.close()
        #expect(try protectedMappings(of: pid) == 0)
        tool.input.close()
        _ = await tool.child.wait()
        _ = try await said
    }

    @Test func `a task that no tracker takes is said so with every reason`() async throws {
        try await Storm.run("w") { storm in
            let tracker = MemoryTracker(chain: TrackerChain([.softDirty])) { [storm.pid] }
            let part = try #require(try await tracker.round().parts.first)
            guard !HeldProcess.hasSoftDirty else { return }
            #expect(part.choice.kind == nil && part.found == TrackedRound())
            #expect(part.choice.refusals == ["soft-dirty: this kernel has no soft-dirty marks"])
            await tracker.close()
        }
    }

    @Test func `the last round puts no tracker into anything`() async throws {
        try await Storm.run("w") { storm in
            let tracker = MemoryTracker { [storm.pid] }
            let round = try await tracker.round(isLast: true)
            #expect(round.parts.map(\.found) == [TrackedRound()] && round.stopped == .zero)
            #expect(try protectedMappings(of: storm.pid) == 0)
            await tracker.close()
        }
    }

    @Test func `direct writes rule write-protection out, also in the middle`() async throws {
        let file = FileManager.default.temporaryDirectory.path + "/godwit-direct-\(getpid())"
        let program = """
            import os, sys
            say = lambda text: os.write(1, text.encode())
            say("ready\\n")
            sys.stdin.readline()
            number = os.open("\(file)", os.O_RDWR | os.O_CREAT | os.O_DIRECT)
            say("open\\n")
            sys.stdin.readline()
            """
        defer { try? SmallFile.remove(file) }
        let tool = try ConversingTool.start(Command("python3", ["-c", program]))
        async let said = tool.said()
        try await hears("ready\n", from: tool)
        let pid = tool.child.pid
        let tracker = MemoryTracker { [pid] }
        #expect(try await tracker.round().parts.first?.choice.kind == .writeProtect)
        try tool.input.write(Array("go\n".utf8)[...])
        try await hears("open\n", from: tool)
        let part = try #require(try await tracker.round().parts.first)
        #expect(part.choice.kind == .hash && part.found.dirty == part.found.present)
        #expect(part.choice.refusals.first?.contains("past its page tables") == true)
        #expect(try protectedMappings(of: pid) == 0)
        await tracker.close()
        tool.input.close()
        _ = await tool.child.wait()
        _ = try await said
    }

    @Test func `a process in a namespace is named by its number there`() async throws {
        let tool = try ConversingTool.start(
            Command("unshare", ["--pid", "--fork", "sh", "-c", "echo $$; read line"]))
        async let said = tool.said()
        try await hears("1\n", from: tool)
        let inside = ProcessTable.all().filter { $0.parent == tool.child.pid }.map(\.pid)
        #expect(inside.count == 1)
        let tracker = MemoryTracker { inside }
        let round = try await tracker.round()
        #expect(round.parts.map(\.task) == [TaskID(1)] && round.parts.map(\.pid) == inside)
        #expect(round.dirty.first?.runs.isEmpty == false)
        #expect(round.tracked[TaskID(1)]?.isEmpty == false)
        await tracker.close()
        tool.input.close()
        _ = await tool.child.wait()
        _ = try await said
    }
}

/// Passes on what was read by way of the whole instance's tracker.
private final class Told: DirtyTracker {
    let kind = TrackerKind.hash
    let tracker: MemoryTracker
    let task: TaskID

    init(tracker: MemoryTracker, task: TaskID) {
        self.tracker = tracker
        self.task = task
    }

    func round() throws -> TrackedRound { TrackedRound() }
    func close() {}
    func wasRead(_ content: UnsafeRawBufferPointer, at address: UInt64) {
        unsafe tracker.wasRead(content, of: task, at: address)
    }
}
