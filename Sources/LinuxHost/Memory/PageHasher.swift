import CLinux
import CXXHash
import Foundation
import MigrationCore

/// Hashes of 64 bits (XXH3) of another process's pages.
@safe package final class PageHasher {
    /// Stands for a page that could not be read.
    package static let unread: UInt64 = 0

    private let process: Int32
    private let memory: Descriptor?
    private let buffer: UnsafeMutableRawBufferPointer
    private static let page = Int(sysconf(Int32(_SC_PAGESIZE)))

    package init(of process: Int32) {
        self.process = process
        memory = try? Descriptor.open("/proc/\(process)/mem", O_RDONLY)
        unsafe buffer = .allocate(byteCount: 1 << 20, alignment: 4_096)
    }

    deinit { unsafe buffer.deallocate() }

    /// Passes the hash of each page on, with its address.
    package func hash(_ range: Range<UInt64>, _ body: (UInt64, UInt64) -> Void) {
        var place = range.lowerBound
        while place < range.upperBound {
            let size = unsafe min(buffer.count, Int(range.upperBound - place))
            let got = read(at: place, size)
            guard got >= Self.page else {
                body(place, Self.unread)
                place += UInt64(Self.page)
                continue
            }
            for offset in stride(from: 0, to: got / Self.page * Self.page, by: Self.page) {
                let page = unsafe UnsafeRawBufferPointer(buffer)[offset..<offset + Self.page]
                body(
                    place + UInt64(offset),
                    unsafe Self.hash(UnsafeRawBufferPointer(rebasing: page)))
            }
            place += UInt64(got / Self.page * Self.page)
        }
    }

    /// Never `unread`.
    package static func hash(_ page: UnsafeRawBufferPointer) -> UInt64 {
        // SAFETY: the buffer is only read, within its count.
        max(unsafe XXH3_64bits(page.baseAddress, page.count), 1)
    }

    /// Memory that the process itself may not read is read through its file.
    private func read(at address: UInt64, _ size: Int) -> Int {
        let got = unsafe godwit_copy_memory(process, address, buffer.baseAddress, size)
        if got >= Self.page { return got }
        guard let memory else { return 0 }
        let place = off_t(bitPattern: UInt(address))
        return max(unsafe pread(memory.number, buffer.baseAddress, Self.page, place), 0)
    }
}
