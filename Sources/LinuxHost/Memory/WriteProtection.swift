import CLinux
import Foundation
import MigrationCore

/// Asynchronous write-protection of a process's memory from outside, through a userfaultfd of its
/// address space: a page that is written to loses its protection without anyone being asked, and
/// `PageTable.scan` tells which ones did.
package final class WriteProtection: Sendable {
    private let userfaultfd: Descriptor

    private init(userfaultfd: Descriptor) { self.userfaultfd = userfaultfd }

    /// Stops the process for a moment and makes it open the userfaultfd for us; nothing of it stays
    /// in the process. Blocks.
    ///
    /// - Parameter patience: how long the process may take to stop.
    /// - Returns: also for how long it stood.
    /// - Throws: `busy` if another attempt may succeed, `refused` if not, both with the reason.
    package static func install(
        in process: Int32, patience: Duration = .milliseconds(50)
    ) throws -> (WriteProtection, stopped: Duration) {
        var result = unsafe godwit_injection()
        unsafe godwit_inject_userfaultfd(process, Int32(patience / .microseconds(1)), &result)
        if let text = unsafe result.refusal {
            throw unsafe refusal(of: process, String(cString: text), code: result.error)
        }
        let stopped = unsafe Duration.nanoseconds(result.stopped_nanoseconds)
        let descriptor = unsafe Descriptor(taking: result.descriptor)
        let protection = WriteProtection(userfaultfd: descriptor)
        let code = godwit_write_protection_begin(descriptor.number)
        guard code == 0 else {
            throw refused(
                process, "cannot be watched: this kernel has no asynchronous write-protection",
                code: code)
        }
        return (protection, stopped)
    }

    /// From now on the range's written pages are told apart. What was written before counts as
    /// written, unless a mark of an earlier registration is left on it.
    ///
    /// - Returns: 0, or the kernel's errno: `EBUSY` if the process has a userfaultfd of its own
    ///   there, `ESRCH` if its address space has gone (it has ended, or executed a program).
    package func add(_ range: Range<UInt64>) -> Int32 {
        godwit_write_protection_add(userfaultfd.number, range.lowerBound, range.upperBound)
    }

    /// Takes the marks from all pages of an added range, so that each counts as written.
    ///
    /// Marks outlive their registration where the kernel forgets it on `mremap`: before Linux 6.13
    /// they move along (fs/userfaultfd.c, `mremap_userfaultfd_prep`); since then they stay behind
    /// on a neighbour that the moved mapping is merged with (seen on 6.18). A page marked though
    /// open to writes would never be reported.
    ///
    /// - Returns: 0, or the kernel's errno.
    package func open(_ range: Range<UInt64>) -> Int32 {
        godwit_write_protection_open(userfaultfd.number, range.lowerBound, range.upperBound)
    }

    /// The range is as it was before `add`.
    @discardableResult
    package func remove(_ range: Range<UInt64>) -> Int32 {
        godwit_write_protection_remove(userfaultfd.number, range.lowerBound, range.upperBound)
    }

    /// Ends all protection; the kernel does the same when this process dies.
    package func close() { userfaultfd.close() }

    private static func refusal(of process: Int32, _ reason: String, code: Int32) -> GodwitError {
        let isPassing = [ETIMEDOUT, EAGAIN, ESRCH].contains(code)
        return GodwitError(isPassing ? .busy : .refused, "process \(process) \(reason)")
    }

    private static func refused(_ process: Int32, _ reason: String, code: Int32) -> GodwitError {
        GodwitError(
            .refused, "process \(process) \(reason)",
            cause: GodwitError.kernel("begin", code: code).message)
    }
}

extension WriteProtection {
    /// A descriptor through which the process's memory can be written past its page tables, so
    /// that this tracker (and soft-dirty) would miss it: opened with O_DIRECT, or an io_uring.
    package static func directWriter(of process: Int32) -> Int32? {
        let number = godwit_find_direct_writer(process)
        return number < 0 ? nil : number
    }

    /// - Throws: `refused` if the process has such a descriptor now.
    package static func refuseDirectWriter(of process: Int32) throws {
        guard let number = directWriter(of: process) else { return }
        throw GodwitError(
            .refused,
            "descriptor \(number) of process \(process) writes memory past its page tables")
    }
}
