import LinuxHost
import MigrationCore
import Synchronization

/// Watches an address space by the kernel's soft-dirty marks.
///
/// Reading the marks and clearing them are two steps, so that the process stands still in each
/// round: about 30 ms a GiB of its memory. A transparent huge page counts as one. New, moved and
/// replaced mappings are marked as a whole by the kernel.
package final class SoftDirtyTracker: DirtyTracker {
    package let kind = TrackerKind.softDirty
    private let process: Int32
    /// What the last round watched: what is not in it is reported as a whole.
    private let watched = Mutex(AddressSet())

    /// - Throws: `refused` if the kernel has no such marks.
    package init(of process: Int32, reader: Int32) throws {
        guard HeldProcess.hasSoftDirty else {
            throw GodwitError(.refused, "this kernel has no soft-dirty marks")
        }
        try WriteProtection.refuseDirectWriter(of: reader)
        self.process = reader
    }

    package func round(isFrozen: Bool) throws -> TrackedRound {
        try WriteProtection.refuseDirectWriter(of: process)
        return try watched.withLock { watched in
            let before = watched
            var round: TrackedRound
            if isFrozen {
                // A task that the version 1 freezer holds would not answer.
                round = try read(watchedBefore: before)
            } else {
                let held = try HeldProcess.stop(process) { try read(watchedBefore: before) }
                round = held.0
                round.stopped = held.stopped
            }
            watched = round.tracked
            return round
        }
    }

    private func read(watchedBefore: AddressSet) throws -> TrackedRound {
        let mappings = try Mappings.readFlags(of: process).filter(\.isLazilyRestorable)
        let table = try PageTable(of: process)
        var round = TrackedRound()
        round.tracked = AddressSet(mappings.map(\.range))
        var (present, marked): ([Range<UInt64>], [Range<UInt64>]) = ([], [])
        for mapping in mappings {
            let code = table.scan(mapping.range, marking: .softDirty) { region in
                present.append(region.range)
                if region.isMarked { marked.append(region.range) }
            }
            guard code == 0 else {
                throw GodwitError(.busy, "the pages of process \(process) cannot be read now")
            }
        }
        round.present = AddressSet(present)
        round.dirty = AddressSet(marked).union(round.present.subtracting(watchedBefore))
        try HeldProcess.clearSoftDirty(of: process)
        return round
    }

    package func wasRead(_ content: UnsafeRawBufferPointer, at address: UInt64) {}

    /// Nothing was put into the process.
    package func close() {}
}
