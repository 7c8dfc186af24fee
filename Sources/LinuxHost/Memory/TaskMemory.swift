import CLinux
import Foundation
import MigrationCore

/// The memory of a process that goes on running (or ends) while it is read.
///
/// Pages are read with process_vm_readv(2). Where that refuses one (it honours the protection of
/// the mapping, and memory under `PROT_NONE` may still hold content), `/proc/PID/mem` is asked,
/// which does not.
package final class TaskMemory {
    /// Consecutive bytes, whole pages.
    package struct Span: Equatable {
        package let address: UInt64
        package let size: UInt64

        package init(address: UInt64, size: Int) {
            precondition(size > 0)
            self.address = address
            self.size = UInt64(size)
        }
    }

    /// What came of reading; both are everyday matters while a process runs.
    package struct Reading: Equatable {
        /// The process has ended: nothing that was read may be used.
        package var isGone = false
        /// Pages that are not there (any more), counted through all spans, ascending and apart.
        /// What the buffer holds in their place means nothing.
        package var missing: [Range<Int>] = []

        package init() {}
    }

    package let pid: Int32
    private let pidfd: Descriptor
    private var file: Descriptor?
    private static let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))

    private init(pid: Int32, pidfd: Descriptor) {
        self.pid = pid
        self.pidfd = pidfd
    }

    /// Nil if there is no such process.
    package static func open(_ pid: Int32) throws -> TaskMemory? {
        let pidfd = godwit_pidfd_open(pid)
        guard pidfd >= 0 else {
            if errno == ESRCH { return nil }
            throw GodwitError.kernel("open a pidfd for process \(pid)")
        }
        return TaskMemory(pid: pid, pidfd: Descriptor(taking: pidfd))
    }

    /// Reads the spans one after another; each page has its place in the buffer whether or not it
    /// could be read.
    ///
    /// - Parameter buffer: as large as all spans together.
    /// - Throws: `kernelRefused` for anything but a process or pages that are gone.
    package func read(
        _ spans: [Span], into buffer: UnsafeMutableRawBufferPointer
    ) throws -> Reading {
        precondition(spans.reduce(0) { $0 + Int($1.size) } == buffer.count)
        var reading = Reading()
        var place = Place(spans: spans)
        while let span = place.span {
            let taken = try unsafe take(spans, place, span, into: buffer)
            guard let taken else {
                reading.isGone = true
                return reading
            }
            if taken == 0 { reading.miss(place.position / Self.pageSize) }
            place.advance(by: taken == 0 ? Self.pageSize : taken)
        }
        // Alive now, so its pid was nobody else's in the meantime.
        reading.isGone = godwit_pidfd_send_signal(pidfd.number, 0) != 0
        return reading
    }

    /// Bytes that could be read from this place on, whole pages: 0 if the first page is missing;
    /// nil if the process is gone.
    private func take(
        _ spans: [Span], _ place: Place, _ span: Span, into buffer: UnsafeMutableRawBufferPointer
    ) throws -> Int? {
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[place.position...])
        let result = unsafe spans[place.index...].withUnsafeBytes { spans in
            // SAFETY: a span is two numbers of 64 bits, as the shim reads them; it writes at most
            // `rest.count` bytes and keeps nothing.
            unsafe godwit_read_memory(
                pid, rest.baseAddress, rest.count,
                spans.baseAddress?.assumingMemoryBound(to: UInt64.self),
                spans.count / MemoryLayout<Span>.stride, place.offset)
        }
        let whole = max(result, 0) / Self.pageSize * Self.pageSize
        if whole > 0 { return whole }
        switch Int32(-min(result, 0)) {
        case ESRCH: return nil
        case 0, EFAULT:
            let left = unsafe rest[..<Int(span.size - place.offset)]
            return unsafe force(
                at: span.address + place.offset, into: UnsafeMutableRawBufferPointer(rebasing: left)
            )
        case let code: throw GodwitError.kernel("read the memory of process \(pid)", code: code)
        }
    }

    private func force(at address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        if file == nil { file = try? Descriptor.open("/proc/\(pid)/mem", O_RDONLY) }
        guard let file else { return 0 }
        // SAFETY: at most `buffer.count` bytes are written to it.
        let count = unsafe pread(
            file.number, buffer.baseAddress, buffer.count, Int(bitPattern: UInt(address)))
        return max(count, 0) / Self.pageSize * Self.pageSize
    }
}

extension TaskMemory.Reading {
    fileprivate mutating func miss(_ page: Int) {
        if let last = missing.last, last.upperBound == page {
            missing[missing.count - 1] = last.lowerBound..<page + 1
        } else {
            missing.append(page..<page + 1)
        }
    }
}

/// How far a reading has come.
private struct Place {
    let spans: [TaskMemory.Span]
    private(set) var index = 0
    /// Bytes of the span that are done.
    private(set) var offset: UInt64 = 0
    /// Bytes of all spans that are done.
    private(set) var position = 0

    init(spans: [TaskMemory.Span]) { self.spans = spans }

    var span: TaskMemory.Span? { index < spans.count ? spans[index] : nil }

    mutating func advance(by count: Int) {
        position += count
        var rest = UInt64(count) + offset
        while let span, rest >= span.size {
            rest -= span.size
            index += 1
        }
        offset = rest
    }
}
