import Foundation
import LinuxHost
import MigrationCore
import Pages
import TestSupport
import Testing

/// Trackers against programs that change their memory all the time: what was reported and read must
/// be, in the end, what is there, byte for byte.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct HostTrackerModelTests {
    static let kinds = [
        "w", "wm", "wmr", "wd", "wp", "wb", "wmf", "wmv", "wml", "wg", "wh", "wt", "ws",
        "wmrdpbflghts", "wmrdpbvlghts",
    ]

    @Test(arguments: kinds)
    func `write-protection misses no page`(kinds: String) async throws {
        try await Storm.run(kinds) { storm in
            let tracker = try await installed(in: storm.pid)
            try await compare(storm, tracker, cycles: 12)
            tracker.close()
            #expect(try protectedMappings(of: storm.pid) == 0)
        }
    }

    @Test(arguments: ["w", "wm", "wmr", "wdg", "wp", "wt", "ws", "wmrdpbflghts"])
    func `hashes miss no page`(kinds: String) async throws {
        try await Storm.run(kinds, threads: 2) { storm in
            let tracker = try HashTracker(of: storm.pid, reader: storm.pid)
            try await compare(storm, tracker, cycles: 6)
            tracker.close()
        }
    }

    @Test func `many seeds of the whole storm`() async throws {
        for seed in 2..<10 {
            try await Storm.run("wmrdpbflghts", seed: seed, threads: 4) { storm in
                let tracker = try await installed(in: storm.pid)
                try await compare(storm, tracker, cycles: 6)
                tracker.close()
            }
        }
    }

    /// Rounds while it runs, a last one while it stands, comparison; again and again.
    private func compare(
        _ storm: Storm, _ tracker: any DirtyTracker, cycles: Int
    ) async throws {
        var model = Model()
        for cycle in 0..<cycles {
            for _ in 0..<4 {
                let found = try await blocking { try tracker.round() }
                #expect(found.dirty.subtracting(found.present).isEmpty)
                #expect(found.present.subtracting(found.tracked).isEmpty)
                model.take(found.dirty, of: storm.pid, for: tracker)
            }
            try await storm.stop()
            let last = try await blocking { try tracker.round() }
            model.take(last.dirty, of: storm.pid, for: tracker)
            let wrong = model.differences(from: last, of: storm.pid)
            #expect(wrong == [], "cycle \(cycle)")
            #expect(!last.tracked.isEmpty && !last.present.isEmpty)
            try everythingLazyIsTracked(last, storm.pid)
            storm.goOn()
        }
    }

    /// The list at the freeze is what CRIU would restore lazily, and nothing else.
    private func everythingLazyIsTracked(_ round: TrackedRound, _ pid: Int32) throws {
        let lazy = AddressSet(
            try Mappings.readFlags(of: pid).filter(\.isLazilyRestorable).map(\.range))
        #expect(round.tracked == lazy)
    }
}

/// The state of the program decides whether it stops in time; a loaded machine takes longer.
func installed(in pid: Int32) async throws -> WriteProtectTracker {
    for _ in 0..<50 {
        do {
            return try await blocking { try WriteProtectTracker(of: pid, reader: pid) }
        } catch let error as GodwitError where error.code == .busy { continue }
    }
    return try WriteProtectTracker(of: pid, reader: pid)
}

func protectedMappings(of pid: Int32) throws -> Int {
    try Mappings.readFlags(of: pid).filter { $0.flags.contains(.writeProtected) }.count
}
