import Foundation
import LinuxHost
import MigrationCore
import Synchronization

/// Watches an address space by asynchronous write-protection.
///
/// The kernel drops the protection of a mapping that is unmapped, moved by `mremap`, replaced at
/// the same address or inherited by a child, and a scan refuses it from then on; so every doubt
/// about a mapping shows as a refusal, and a refused range is taken in anew with all its pages
/// reported.
package final class WriteProtectTracker: DirtyTracker {
    package let kind = TrackerKind.writeProtect
    /// For how long the process stood while the tracker was put in.
    package let stopped: Duration
    /// By this number its files under /proc are found.
    private let process: Int32
    private let protection: WriteProtection
    /// Ranges that this tracker protects, all lazily restorable.
    private let settled = Mutex(AddressSet())

    /// Puts a tracker into the process.
    ///
    /// - Parameter reader: the process, or a thread of it if the first has ended.
    /// - Throws: `busy` if another attempt may succeed, `refused` if not, with the reason.
    package init(of process: Int32, reader: Int32) throws {
        guard PageTable.canScan else {
            throw GodwitError(.refused, "this kernel has no PAGEMAP_SCAN (Linux 6.7)")
        }
        try WriteProtection.refuseDirectWriter(of: reader)
        self.process = reader
        (protection, stopped) = try WriteProtection.install(in: process)
    }

    deinit { protection.close() }

    package func round(isFrozen: Bool) throws -> TrackedRound {
        try WriteProtection.refuseDirectWriter(of: process)
        return try settled.withLock { settled in
            var round = try Round(
                process: process, protection: protection, settled: settled,
                mappings: mappings(releasing: settled))
            try round.scanKnown()
            try round.takeInNew()
            settled = round.settled
            return round.result()
        }
    }

    package func wasRead(_ content: UnsafeRawBufferPointer, at address: UInt64) {}

    package func close() {
        settled.withLock { settled in
            // A child forked while it was put in may hold the descriptor too.
            for range in settled.ranges { protection.remove(range) }
            settled = AddressSet()
        }
        protection.close()
    }

    /// Those that may be lazily restorable. Flags cost a walk over all pages, so that they are only
    /// asked for where something is locked; nothing else changes them after a mapping was made.
    private func mappings(releasing settled: AddressSet) throws -> [Range<UInt64>] {
        guard TaskFacts.lockedMemory(of: process) else {
            return try Mappings.read(of: process).filter(\.mayBeLazilyRestorable).map(\.range)
        }
        let all = try Mappings.readFlags(of: process)
        let kept = AddressSet(all.filter(\.isLazilyRestorable).map(\.range))
        for range in settled.subtracting(kept).ranges { protection.remove(range) }
        return all.filter(\.isLazilyRestorable).map(\.range)
    }
}

/// One round in the making.
private struct Round {
    let process: Int32
    let protection: WriteProtection
    /// What the tracker protects; grows and shrinks in the round.
    private(set) var settled: AddressSet
    /// Of each mapping, for a scan must not reach from one that is protected into one that is not.
    private let mappings: [Range<UInt64>]
    private let table: PageTable
    private var dirty: [Range<UInt64>] = []
    private var present: [Range<UInt64>] = []

    init(
        process: Int32, protection: WriteProtection, settled: AddressSet,
        mappings: [Range<UInt64>]
    ) throws {
        self.process = process
        self.protection = protection
        self.mappings = mappings
        self.settled = settled.intersection(AddressSet(mappings))
        // Opened anew: after exec the old one would show the address space that has gone.
        table = try PageTable(of: process)
    }

    func result() -> TrackedRound {
        var result = TrackedRound()
        result.dirty = AddressSet(dirty)
        result.present = AddressSet(present)
        result.tracked = settled
        return result
    }

    /// Several threads share a large address space: a scan takes 5 ms for each GiB, and the last
    /// one falls into the freeze.
    mutating func scanKnown() throws {
        let pieces = parts(of: settled).flatMap { Self.pieces(of: $0) }
        let process = process
        let next = Atomic(0)
        let found = Mutex([[PageTable.Region]?](repeating: nil, count: pieces.count))
        alongside(threads: Self.threads(for: settled)) {
            // A table each: its buffer serves one scan at a time.
            guard let table = try? PageTable(of: process) else { return }
            while true {
                let index = next.add(1, ordering: .relaxed).oldValue
                guard index < pieces.count else { return }
                let regions = Self.scan(pieces[index], in: table)
                found.withLock { $0[index] = regions }
            }
        }
        var refused: [Range<UInt64>] = []
        for (piece, regions) in zip(pieces, found.withLock { $0 }) {
            if let regions {
                report(regions, reportingAll: false)
            } else {
                refused.append(piece)
            }
        }
        settled = settled.subtracting(AddressSet(refused))
    }

    /// Registers first and asks for flags then: what shows both our protection and the right flags
    /// is one mapping at one moment.
    mutating func takeInNew() throws {
        let all = AddressSet(mappings)
        let new = try parts(of: all.subtracting(settled)).filter { range in
            let code = protection.add(range)
            guard code != ESRCH else {
                throw GodwitError(.busy, "process \(process) has another address space now")
            }
            return code == 0
        }
        guard !new.isEmpty else { return }
        let protected = try Mappings.readFlags(of: process)
            .filter { $0.flags.contains(.writeProtected) }
        let registered = AddressSet(new)
        let lazy = AddressSet(protected.filter(\.isLazilyRestorable).map(\.range))
        for range in registered.subtracting(lazy).ranges { protection.remove(range) }
        let taken = parts(of: registered.intersection(lazy)).filter { range in
            guard let regions = scanOfNew(range) else { return false }
            report(regions, reportingAll: true)
            return true
        }
        settled = settled.union(AddressSet(taken))
    }

    /// A page that counts as unwritten though nobody has protected it yet bears a mark that
    /// outlived its registration (`WriteProtection.open`), and may be open to writes.
    private func scanOfNew(_ range: Range<UInt64>) -> [PageTable.Region]? {
        guard let regions = scan(range) else { return nil }
        let unmarked = AddressSet(regions.filter { !$0.isMarked }.map(\.range))
        let marked = AddressSet(regions.filter(\.isMarked).map(\.range))
        guard !unmarked.subtracting(marked).isEmpty else { return regions }
        return protection.open(range) == 0 ? scan(range) : nil
    }

    /// The set, cut where one mapping ends and the next begins.
    private func parts(of set: AddressSet) -> [Range<UInt64>] {
        var parts: [Range<UInt64>] = []
        var next = 0
        for range in set.ranges {
            while next < mappings.count, mappings[next].upperBound <= range.lowerBound { next += 1 }
            var index = next
            while index < mappings.count, mappings[index].lowerBound < range.upperBound {
                parts.append(mappings[index].clamped(to: range))
                index += 1
            }
        }
        return parts
    }

    /// What one thread scans at a time.
    private static let pieceSize: UInt64 = 64 << 20
    /// Beyond these, threads wait for the memory's bandwidth.
    private static let mostThreads = 4

    private static func pieces(of range: Range<UInt64>) -> [Range<UInt64>] {
        stride(from: range.lowerBound, to: range.upperBound, by: Int(pieceSize)).map {
            $0..<min($0 + pieceSize, range.upperBound)
        }
    }

    /// One for each 8 pieces, as far as there are processors.
    private static func threads(for memory: AddressSet) -> Int {
        let bytes = memory.ranges.reduce(0) { $0 + UInt64($1.count) }
        let processors = ProcessInfo.processInfo.activeProcessorCount
        return max(1, min(Int(bytes / (8 * pieceSize)), processors, mostThreads))
    }

    private func scan(_ range: Range<UInt64>) -> [PageTable.Region]? {
        Self.scan(range, in: table)
    }

    /// Nil if the kernel refuses: then nothing is known about the range any more.
    private static func scan(
        _ range: Range<UInt64>, in table: PageTable
    ) -> [PageTable.Region]? {
        var regions: [PageTable.Region] = []
        let code = table.scan(range, marking: .written, protecting: true) { regions.append($0) }
        return code == 0 ? regions : nil
    }

    private mutating func report(_ regions: [PageTable.Region], reportingAll: Bool) {
        for region in regions {
            present.append(region.range)
            if region.isMarked || reportingAll { dirty.append(region.range) }
        }
    }
}
