import LinuxHost
package import MigrationCore
import Synchronization

/// Watches an address space by the hashes of its contents.
///
/// What was read of a page and sent is hashed (`wasRead`); each round hashes what the page holds
/// now. So each round reads all memory, also the last, in the freeze: about 0.2 s a GiB. A page
/// that nobody told about is reported again. Two contents count as equal if 64 bits of XXH3 are.
package final class HashTracker: DirtyTracker {
    package let kind = TrackerKind.hash
    private let process: Int32
    private let sent: Mutex<PageWords>

    /// - Parameter limit: beyond this much memory pages are reported in every round.
    package init(of process: Int32, reader: Int32, limit: ByteCount = Limit.hashedMemory) throws {
        guard TaskFacts(process) != nil else {
            throw GodwitError(.notFound, "process \(process) has ended")
        }
        self.process = reader
        sent = Mutex(PageWords(limit: limit))
    }

    package func round(isFrozen: Bool) throws -> TrackedRound {
        let mappings = try Mappings.readFlags(of: process).filter(\.isLazilyRestorable)
        let table = try PageTable(of: process)
        let hasher = PageHasher(of: process)
        var round = TrackedRound()
        round.tracked = AddressSet(mappings.map(\.range))
        var present: [Range<UInt64>] = []
        for mapping in mappings {
            let code = table.scan(mapping.range, marking: .softDirty) { region in
                present.append(region.range)
            }
            guard code == 0 else {
                throw GodwitError(.busy, "the pages of process \(process) cannot be read now")
            }
        }
        round.present = AddressSet(present)
        for range in round.present.ranges {
            hasher.hash(range) { address, hash in
                let isKnown = sent.withLock { $0[address] == hash }
                if hash == PageHasher.unread || !isKnown {
                    round.dirty.append(address..<address + UInt64(PageRun.pageSize))
                }
            }
        }
        return round
    }

    package func wasRead(_ content: UnsafeRawBufferPointer, at address: UInt64) {
        let size = PageRun.pageSize
        precondition(content.count.isMultiple(of: size))
        for offset in stride(from: 0, to: content.count, by: size) {
            let page = unsafe UnsafeRawBufferPointer(rebasing: content[offset..<offset + size])
            let hash = unsafe PageHasher.hash(page)
            sent.withLock { $0[address + UInt64(offset)] = hash }
        }
    }

    /// Nothing was put into the process.
    package func close() { sent.withLock { $0 = PageWords(limit: .zero) } }
}
