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
    /// What is tried with each tracker that this kernel knows, and how often.
    static let attempts = Storm.trackers.flatMap { kind in
        kinds(for: kind).map { (kind, $0) }
    }

    private static func kinds(for tracker: TrackerKind) -> [String] {
        if Storm.isInterpreted { return ["wmr", "wh", "wmrdpbflghts"] }
        return switch tracker {
        case .writeProtect, .softDirty:
            [
                "w", "wm", "wmr", "wd", "wp", "wb", "wmf", "wmv", "wml", "wg", "wh", "wt", "ws",
                "wmrdpbflghts", "wmrdpbvlghts",
            ]
        case .hash: ["w", "wm", "wmr", "wdg", "wp", "wt", "ws", "wmrdpbflghts"]
        }
    }

    @Test(arguments: attempts)
    func `no page is missed`(tracker: TrackerKind, kinds: String) async throws {
        let threads = Storm.isInterpreted ? 1 : tracker == .hash ? 2 : 3
        try await Storm.run(kinds, threads: threads) { storm in
            let watch = try await tracker.watch(storm.pid)
            try await compare(storm, watch, cycles: Storm.cycles(tracker == .hash ? 6 : 12))
            watch.close()
            #expect(try protectedMappings(of: storm.pid) == 0)
        }
    }

    @Test func `many seeds of the whole storm`() async throws {
        for seed in 2..<(Storm.isInterpreted ? 3 : 10) {
            try await Storm.run("wmrdpbflghts", seed: seed, threads: 4) { storm in
                let watch = try await TrackerKind.usable[0].watch(storm.pid)
                try await compare(storm, watch, cycles: Storm.cycles(6))
                watch.close()
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
                let found = try await blocking { try tracker.round(isFrozen: false) }
                #expect(found.dirty.subtracting(found.present).isEmpty)
                #expect(found.present.subtracting(found.tracked).isEmpty)
                model.take(found.dirty, of: storm.pid, for: tracker)
            }
            try await storm.stop()
            let last = try await blocking { try tracker.round(isFrozen: false) }
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

extension TrackerKind {
    /// Has such a tracker watch a process.
    func watch(_ pid: Int32) async throws -> any DirtyTracker {
        switch self {
        case .writeProtect: try await installed(in: pid)
        case .softDirty: try SoftDirtyTracker(of: pid, reader: pid)
        case .hash: try HashTracker(of: pid, reader: pid)
        }
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
