import ArgumentParser
import Foundation
import LinuxHost
import MigrationCore
import Pages
import TestSupport

/// What each tracker that this kernel knows reports of pages that were written, and what a round
/// costs.
struct TrackersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trackers",
        abstract: "Compare the dirty trackers: pages written, pages reported, time and stops.",
        discussion: "Fails if a page was missed. Writes its figures to .results/trackers.json.")

    @Option(help: "Mebibytes of memory.") var size = 256
    @Option(help: "Pages written before each round.") var pages = 2_000
    @Option(help: "Rounds after the first, which reports everything.") var rounds = 7
    @Option(help: "The writer, if it is built already.") var program: String?
    @Option(help: "Where the figures go.") var output = ".results/trackers.json"

    func validate() throws {
        guard size > 0, rounds > 0, (1...size << 8).contains(pages), pages <= 1 << 20 else {
            throw ValidationError("--pages must fit into --size, and --rounds be positive")
        }
    }

    func run() async throws {
        let built = FileManager.default.temporaryDirectory.path + "/godwit-writer-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: built) }
        if program == nil { try await WriterProgram.build(at: built) }
        var rows: [TrackerRow] = []
        print(TrackerRow.head)
        for kind in TrackerKind.usable {
            for hugePages in [false, true] {
                for isScattered in [true, false] {
                    let row = try await measure(program ?? built, kind, hugePages, isScattered)
                    rows.append(row)
                    print(row.text)
                }
            }
        }
        try writeFigures(rows, to: output)
        guard rows.allSatisfy({ $0.missed == 0 }) else { throw ExitCode(1) }
    }

    private func measure(
        _ program: String, _ kind: TrackerKind, _ hugePages: Bool, _ isScattered: Bool
    ) async throws -> TrackerRow {
        let writer = try await WatchedWriter(
            program: program, mebibytes: size, hugePages: hugePages, kind: kind)
        var row = TrackerRow(
            tracker: kind.rawValue, isScattered: isScattered, written: pages,
            mebibytesInHugePages: writer.hugeMebibytes)
        do {
            let first = try await writer.round()
            row.firstStopMilliseconds = first.stopped
            var random = SplitMix64(seed: UInt64(pages))
            for _ in 0..<rounds {
                let chosen = choose(isScattered, &random)
                try await writer.write(chosen)
                row.add(try await writer.round(), written: Set(chosen))
            }
        } catch {
            await writer.end()
            throw error
        }
        await writer.end()
        return row
    }

    /// Pages all over the memory, or next to each other.
    private func choose(_ isScattered: Bool, _ random: inout SplitMix64) -> [UInt32] {
        let all = UInt32(size << 8)
        guard isScattered else {
            let first = UInt32.random(in: 0...all - UInt32(pages), using: &random)
            return Array(first..<first + UInt32(pages))
        }
        var chosen: Set<UInt32> = []
        while chosen.count < pages {
            chosen.insert(UInt32.random(in: 0..<all, using: &random))
        }
        return Array(chosen)
    }
}
