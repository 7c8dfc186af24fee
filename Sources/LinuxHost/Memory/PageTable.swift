import CLinux
import Foundation
import MigrationCore

/// Which pages of a process have content, as `/proc/PID/pagemap` shows it: in memory or swapped
/// out, not the kernel's shared page of zeros. The same pages that CRIU dumps.
@safe package final class PageTable {
    /// Pages of one kind, next to each other.
    package struct Region: Equatable {
        package let range: Range<UInt64>
        /// Written to since write-protection was last renewed, or soft-dirty, as was asked.
        package let isMarked: Bool
    }

    package enum Mark: UInt64 {
        case written = 2
        case softDirty = 128
    }

    private let pagemap: Descriptor
    private let buffer: UnsafeMutableBufferPointer<godwit_page_region>

    /// Opens the table of the process's present address space. A program that it executes later has
    /// another one.
    ///
    /// - Throws: `notFound` if the process has ended.
    package init(of task: Int32) throws {
        guard let file = try? Descriptor.open("/proc/\(task)/pagemap", O_RDONLY) else {
            throw GodwitError(.notFound, "process \(task) has ended")
        }
        pagemap = file
        unsafe buffer = .allocate(capacity: 4_096)
    }

    deinit { unsafe buffer.deallocate() }

    /// Whether this kernel can scan (Linux 6.7); if not, entries are read one by one.
    package static let canScan = godwit_has_page_scan() == 1

    /// Passes every region on, by and large ascending: some overlap, and a page that is marked in
    /// one of them is marked.
    ///
    /// - Parameter protecting: pages that were written are write-protected again in the same step.
    /// - Returns: 0, or the kernel's errno. After an error pages may have been write-protected
    ///   again of which the caller has not heard: all pages of the range count as written then.
    package func scan(
        _ range: Range<UInt64>, marking mark: Mark, protecting: Bool = false,
        _ body: (Region) -> Void
    ) -> Int32 {
        guard Self.canScan else {
            precondition(mark == .softDirty, "entries do not show written pages")
            return joinEntries(range, body)
        }
        var place = range.lowerBound
        while place < range.upperBound {
            let found = unsafe godwit_page_scan(
                pagemap.number, &place, range.upperBound, mark.rawValue, protecting ? 1 : 0,
                buffer.baseAddress, buffer.count)
            guard found >= 0 else { return -found }
            for index in 0..<Int(found) {
                let region = unsafe buffer[index]
                body(Region(range: region.start..<region.end, isMarked: region.categories != 0))
            }
        }
        return 0
    }

    /// For kernels before 6.7.
    private func joinEntries(_ range: Range<UInt64>, _ body: (Region) -> Void) -> Int32 {
        var joined = JoinedRegions()
        let page = UInt64(sysconf(Int32(_SC_PAGESIZE)))
        let code = readEntries(range) { address, entry in
            guard entry.hasContent else { return }
            joined.add(address..<address + page, isMarked: entry.isSoftDirty, body)
        }
        joined.finish(body)
        return code
    }

    /// Passes the entry of every page on, ascending: 64 bits a page (proc_pid_pagemap(5)).
    ///
    /// - Returns: 0, or the kernel's errno.
    package func readEntries(
        _ range: Range<UInt64>, _ body: (UInt64, PageEntry) -> Void
    ) -> Int32 {
        let page = UInt64(sysconf(Int32(_SC_PAGESIZE)))
        var entries = [UInt64](repeating: 0, count: 8_192)
        var place = range.lowerBound
        while place < range.upperBound {
            let count = min(UInt64(entries.count), (range.upperBound - place) / page)
            let size = unsafe entries.withUnsafeMutableBytes { bytes in
                unsafe pread(
                    pagemap.number, bytes.baseAddress, Int(count) * 8, off_t(place / page * 8))
            }
            guard size > 0 else { return size < 0 ? errno : EIO }
            for index in 0..<size / 8 {
                body(place + UInt64(index) * page, PageEntry(bits: entries[index]))
            }
            place += UInt64(size / 8) * page
        }
        return 0
    }
}

/// Joins pages of one kind that follow each other.
private struct JoinedRegions {
    private var open: PageTable.Region?

    mutating func add(
        _ range: Range<UInt64>, isMarked: Bool, _ body: (PageTable.Region) -> Void
    ) {
        if let last = open, last.range.upperBound == range.lowerBound, last.isMarked == isMarked {
            open = .init(range: last.range.lowerBound..<range.upperBound, isMarked: isMarked)
            return
        }
        finish(body)
        open = .init(range: range, isMarked: isMarked)
    }

    mutating func finish(_ body: (PageTable.Region) -> Void) {
        if let open { body(open) }
        open = nil
    }
}

/// One page in pagemap.
package struct PageEntry: Equatable, Sendable {
    package let bits: UInt64
    package init(bits: UInt64) { self.bits = bits }

    package var isSoftDirty: Bool { bits >> 55 & 1 == 1 }

    /// Present or swapped out, anonymous, and not the page of zeros.
    package var hasContent: Bool {
        let isPresent = bits >> 63 & 1 == 1
        let isSwapped = bits >> 62 & 1 == 1
        let isFile = bits >> 61 & 1 == 1
        guard isPresent || isSwapped, !isFile else { return false }
        return !isPresent || frame != Self.zeroFrame
    }

    private var frame: UInt64 { bits & (1 << 55 - 1) }

    /// Where its content lies, in memory or in swap: never 0 where it has content.
    package var place: UInt64 { bits & (3 << 62 | (1 << 55 - 1)) }

    /// Whether this process may see in which frames pages lie.
    package static var showsFrames: Bool { zeroFrame != nil }

    /// What a page shows that was read and never written; nil if this host hides frame numbers.
    private static let zeroFrame: UInt64? = {
        let size = Int(sysconf(Int32(_SC_PAGESIZE)))
        guard let page = unsafe mmap(nil, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            unsafe page != MAP_FAILED
        else { return nil }
        defer { unsafe munmap(page, size) }
        // The read that maps it.
        guard unsafe page.load(as: UInt8.self) == 0,
            let file = try? Descriptor.open("/proc/self/pagemap", O_RDONLY)
        else { return nil }
        var entry: UInt64 = 0
        let offset = off_t(Int(bitPattern: page) / size * 8)
        guard unsafe pread(file.number, &entry, 8, offset) == 8 else { return nil }
        let frame = PageEntry(bits: entry).frame
        return frame == 0 ? nil : frame
    }()
}
