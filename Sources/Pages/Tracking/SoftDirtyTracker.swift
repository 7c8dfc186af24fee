import LinuxHost
package import MigrationCore
import Synchronization

/// Watches an address space by the kernel's soft-dirty marks.
///
/// Reading the marks and clearing them are two steps, so that the process stands still in each
/// round: about 30 ms a GiB of its memory. A transparent huge page counts as one.
///
/// Where `mremap` moves a whole page table the kernel marks nothing (mm/mremap.c,
/// `move_normal_pmd`). So the frame that each page lies in is remembered, too: a page in another
/// frame than before, or that was not there, is reported without a mark.
package final class SoftDirtyTracker: DirtyTracker {
    package let kind = TrackerKind.softDirty
    private let process: Int32
    private let frames: Mutex<PageWords>
    private let limit: ByteCount

    /// - Parameter limit: beyond this much memory pages are reported in every round.
    /// - Throws: `refused` if the kernel has no such marks, or hides frames.
    package init(of process: Int32, reader: Int32, limit: ByteCount = Limit.hashedMemory) throws {
        guard HeldProcess.hasSoftDirty else {
            throw GodwitError(.refused, "this kernel has no soft-dirty marks")
        }
        guard LinuxHost.PageEntry.showsFrames else {
            throw GodwitError(.refused, "this host hides the frames of pages from godwit")
        }
        try WriteProtection.refuseDirectWriter(of: reader)
        self.process = reader
        self.limit = limit
        frames = Mutex(PageWords(limit: limit))
    }

    package func round(isFrozen: Bool) throws -> TrackedRound {
        try WriteProtection.refuseDirectWriter(of: process)
        return try frames.withLock { frames in
            // A task that the version 1 freezer holds would not answer a tracer.
            guard !isFrozen else { return try read(&frames) }
            for _ in 1..<Self.attempts {
                do { return try readHeld(&frames) } catch let error as GodwitError
                    where error.code == .busy
                { continue }
            }
            return try readHeld(&frames)
        }
    }

    /// A task that waits for the child of its `vfork` stands only when that has gone.
    private static let attempts = 4

    private func readHeld(_ frames: inout PageWords) throws -> TrackedRound {
        var (round, stopped) = try HeldProcess.stop(process) { try read(&frames) }
        round.stopped = stopped
        return round
    }

    /// Keeps the frames of this round alone: a page that comes back may have changed elsewhere.
    private func read(_ frames: inout PageWords) throws -> TrackedRound {
        let mappings = try Mappings.readFlags(of: process).filter(\.isLazilyRestorable)
        let table = try PageTable(of: process)
        var round = TrackedRound()
        round.tracked = AddressSet(mappings.map(\.range))
        var found = PageWords(limit: limit)
        for mapping in mappings {
            let code = table.readEntries(mapping.range) { address, entry in
                guard entry.hasContent else { return }
                let page = address..<address + UInt64(PageRun.pageSize)
                round.present.append(page)
                if entry.isSoftDirty || frames[address] != entry.place { round.dirty.append(page) }
                found[address] = entry.place
            }
            guard code == 0 else {
                throw GodwitError(.busy, "the pages of process \(process) cannot be read now")
            }
        }
        try HeldProcess.clearSoftDirty(of: process)
        frames = found
        return round
    }

    package func wasRead(_ content: UnsafeRawBufferPointer, at address: UInt64) {}

    /// Nothing was put into the process.
    package func close() {}
}
