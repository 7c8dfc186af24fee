import Foundation
import LinuxHost
import MigrationCore
import Pages
import TestSupport
import Testing

/// All processes of a storm under one tracker.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct HostMemoryTrackerTests {
    /// The one that is taken for a program without peculiarities.
    private let best = TrackerKind.usable[0]

    @Test(arguments: Storm.trackers, ["wmrdfe", "wmrdve"])
    func `processes that come, go and execute programs are followed`(
        kind: TrackerKind, kinds: String
    ) async throws {
        try await Storm.run(kinds) { storm in
            let tracker = MemoryTracker(chain: TrackerChain([kind])) { storm.processes }
            var models: [TaskID: Model] = [:]
            var watched = 0
            for cycle in 0..<Storm.cycles(10) {
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
            #expect(watched >= Storm.cycles(10) / 2)
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
        #expect(part.choice.kind == best)
        #expect(part.choice.refusals.count == TrackerKind.allCases.firstIndex(of: best))
        #expect(first.stopped > .zero && part.task == TaskID(pid) && part.pid == pid)
        let stopped = try await tracker.round().stopped
        #expect((stopped == .zero) == (best != .softDirty))
        try tool.input.write(Array("go\n".utf8)[...])
        try await hears("two\n", from: tool)
        let second = try await tracker.round()
        let anew = try #require(second.parts.first)
        #expect(anew.choice.kind == best && second.stopped > .zero)
        #expect(anew.found.dirty == anew.found.present && !anew.found.tracked.isEmpty)
        await tracker.close()
        #expect(try protectedMappings(of: pid) == 0)
        tool.input.close()
        _ = await tool.child.wait()
        _ = try await said
    }

    @Test func `a task that no tracker takes is said so with every reason`() async throws {
        try await Storm.run("w") { storm in
            let others = TrackerKind.allCases.filter { !TrackerKind.usable.contains($0) }
            let tracker = MemoryTracker(chain: TrackerChain(others)) { [storm.pid] }
            let part = try #require(try await tracker.round().parts.first)
            #expect(part.choice.kind == nil && part.found == TrackedRound())
            let reasons: [TrackerKind: String] = [
                .writeProtect: "write-protect: this kernel has no PAGEMAP_SCAN (Linux 6.7)",
                .softDirty: "soft-dirty: this kernel has no soft-dirty marks",
            ]
            #expect(part.choice.refusals == others.compactMap { reasons[$0] })
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

    @Test(arguments: Storm.trackers)
    func `the last round finds what frozen processes wrote`(kind: TrackerKind) async throws {
        try await Storm.run("wmrd") { storm in
            let group = try Cgroup(path: "/godwit-frozen-\(getpid())")
            try group.make(with: storm.pid)
            let tracker = MemoryTracker(chain: TrackerChain([kind])) { [storm.pid] }
            var models: [TaskID: Model] = [:]
            for _ in 0..<3 { try await take(tracker, &models, isLast: false) }
            try await group.freeze()
            let last = try await take(tracker, &models, isLast: true)
            let part = try #require(last.parts.first)
            #expect(part.choice.kind == kind && !part.found.tracked.isEmpty)
            let model = models[part.task] ?? Model()
            #expect(model.differences(from: part.found, of: part.pid) == [])
            await tracker.close()
            try await group.killAll()
            group.remove()
        }
    }

    @Test func `direct writes rule out a look at page tables, also in the middle`() async throws {
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
        #expect(try await tracker.round().parts.first?.choice.kind == best)
        try tool.input.write(Array("go\n".utf8)[...])
        try await hears("open\n", from: tool)
        let part = try #require(try await tracker.round().parts.first)
        #expect(part.choice.kind == .hash && part.found.dirty == part.found.present)
        #expect(part.choice.refusals.contains { $0.contains("past its page tables") })
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

extension Cgroup {
    /// Makes the group where the freezer is, with a process in it.
    fileprivate func make(with process: Int32) throws {
        let mounts = try CgroupMounts.current()
        let root = try #require(mounts.controllers["freezer"] ?? mounts.unified)
        try SmallFile.makeDirectory(root + path)
        try SmallFile.write("\(process)", to: root + path + "/cgroup.procs")
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

    func round(isFrozen: Bool) throws -> TrackedRound { TrackedRound() }
    func close() {}
    func wasRead(_ content: UnsafeRawBufferPointer, at address: UInt64) {
        unsafe tracker.wasRead(content, of: task, at: address)
    }
}
