import Foundation
import LinuxHost
import MigrationCore
import Pages
import TestSupport

/// The writer's process, and a tracker that watches it as a migration would.
struct WatchedWriter {
    private let tool: ConversingTool
    private let tracker: MemoryTracker
    private let memory: Range<UInt64>

    /// What one round found of the writer's memory.
    struct Found {
        var pages: Set<UInt32> = []
        var milliseconds = 0.0
        var stopped = 0.0
    }

    /// Starts the writer, which fills its memory first.
    init(program: String, mebibytes: Int, hugePages: Bool, kind: TrackerKind) async throws {
        tool = try ConversingTool.start(
            Command(program, ["\(mebibytes)", hugePages ? "huge" : "small"]))
        let pid = tool.child.pid
        tracker = MemoryTracker(chain: TrackerChain([kind])) { [pid] }
        let address = String(decoding: try await hear(16, from: tool), as: UTF8.self)
        guard let start = UInt64(address, radix: 16) else {
            throw GodwitError(.protocolViolation, "the writer said \"\(address)\"")
        }
        memory = start..<start + UInt64(mebibytes) << 20
    }

    /// How much of its memory lies in huge pages now.
    var hugeMebibytes: Int {
        let text = SmallFile.word("/proc/\(tool.child.pid)/smaps_rollup") ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("AnonHugePages:") }
        let kibibytes = line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return (kibibytes ?? 0) >> 10
    }

    /// Has it write to these pages; returns when it has.
    func write(_ pages: [UInt32]) async throws {
        let numbers = [UInt32(pages.count)] + pages
        let bytes = numbers.flatMap { number in
            (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
        }
        try await blocking { [tool] in try tool.input.write(bytes[...]) }
        _ = try await hear(1, from: tool)
    }

    /// One round, and what it reported read, as when it is sent.
    func round() async throws -> Found {
        let clock = ContinuousClock()
        let begin = clock.now
        let round = try await tracker.round()
        var found = Found()
        found.milliseconds = (clock.now - begin) / .milliseconds(1)
        found.stopped = round.stopped / .milliseconds(1)
        guard let part = round.parts.first, part.choice.kind != nil else {
            throw GodwitError(.refused, "no tracker: \(round.parts.map(\.choice.refusals))")
        }
        let size = UInt64(PageRun.pageSize)
        for range in part.found.dirty.ranges {
            try read(range, of: part)
            for page in stride(from: range.lowerBound, to: range.upperBound, by: Int(size))
            where memory.contains(page) {
                found.pages.insert(UInt32((page - memory.lowerBound) / size))
            }
        }
        return found
    }

    func end() async {
        await tracker.close()
        tool.input.close()
        _ = await tool.child.wait()
    }

    private func read(_ range: Range<UInt64>, of part: MemoryRound.Part) throws {
        guard let memory = try TaskMemory.open(part.pid) else { return }
        let step = UInt64(1 << 20)
        for start in stride(from: range.lowerBound, to: range.upperBound, by: Int(step)) {
            let size = Int(min(step, range.upperBound - start))
            var content = [UInt8](repeating: 0, count: size)
            unsafe try content.withUnsafeMutableBytes { bytes in
                let reading = unsafe try memory.read(
                    [.init(address: start, size: size)], into: bytes)
                guard reading.missing.isEmpty, !reading.isGone else { return }
                unsafe tracker.wasRead(UnsafeRawBufferPointer(bytes), of: part.task, at: start)
            }
        }
    }
}
