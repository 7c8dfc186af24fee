import CLinux
import Foundation
import MigrationCore

/// The memory of a process whose missing pages wait to be filled, reached through its userfaultfd.
/// Nothing here blocks.
package struct FaultingMemory: Sendable {
    /// What has happened to the memory, in order. A process that forks, moves, empties or unmaps
    /// memory goes on as soon as its event is read.
    package enum Event: Sendable {
        case fault(UInt64)
        case forked(FaultingMemory)
        case moved(from: UInt64, to: UInt64, length: UInt64)
        /// Emptied by `madvise`: zero from now on.
        case emptied(Range<UInt64>)
        case unmapped(Range<UInt64>)
    }

    /// How far a call came: some bytes, or the reason why not even the first page.
    package struct Outcome: Equatable, Sendable {
        package let bytes: Int
        package let refusal: Int32

        /// The page is there already.
        package var isThere: Bool { refusal == EEXIST }
        /// Part of the range is not, or no longer, memory that faults are reported of.
        package var isElsewhere: Bool { refusal == ENOENT || refusal == EINVAL }
        /// An event waits to be read first, or the process's memory limit is reached.
        package var isEarly: Bool { refusal == EAGAIN || refusal == ENOMEM }
        /// The process has ended or runs another program.
        package var isGone: Bool { refusal == ESRCH }
    }

    package let descriptor: Descriptor

    package init(_ descriptor: Descriptor) { self.descriptor = descriptor }

    /// What has happened since the last call, at most 16 events.
    package func events() throws -> [Event] {
        var events = [godwit_memory_event](repeating: godwit_memory_event(), count: 16)
        let count = unsafe godwit_uffd_read(descriptor.number, &events, Int32(events.count))
        guard count >= 0 else {
            throw GodwitError.kernel("read a userfaultfd", code: -count)
        }
        return events.prefix(Int(count)).compactMap(Event.init)
    }

    /// Puts whole pages where none are, and wakes who waits for them.
    package func fill(_ address: UInt64, with content: UnsafeRawBufferPointer) -> Outcome {
        var placed: UInt64 = 0
        let refusal = unsafe godwit_uffd_copy(
            descriptor.number, address, content.baseAddress, UInt64(content.count), &placed)
        return Outcome(bytes: Int(placed), refusal: refusal)
    }

    package func fillZeros(_ address: UInt64, length: Int) -> Outcome {
        var placed: UInt64 = 0
        let refusal = unsafe godwit_uffd_zero(
            descriptor.number, address, UInt64(length), &placed)
        return Outcome(bytes: Int(placed), refusal: refusal)
    }

    /// Has whoever waits for these pages look again.
    package func wake(_ address: UInt64, length: Int) {
        _ = godwit_uffd_wake(descriptor.number, address, UInt64(length))
    }
}

extension FaultingMemory.Event {
    fileprivate init?(_ event: godwit_memory_event) {
        switch Int(event.kind) {
        case godwit_fault: self = .fault(event.from)
        case godwit_fork:
            self = .forked(FaultingMemory(Descriptor(taking: event.descriptor)))
        case godwit_remap:
            self = .moved(from: event.from, to: event.to, length: event.length)
        case godwit_remove: self = .emptied(event.from..<event.to)
        case godwit_unmap: self = .unmapped(event.from..<event.to)
        default: return nil
        }
    }
}

extension FaultingMemory {
    /// A userfaultfd of this process itself, which reports all events.
    package static func own() throws -> FaultingMemory {
        let number = godwit_uffd_own()
        guard number >= 0 else {
            throw GodwitError.kernel("make a userfaultfd", code: -number)
        }
        return FaultingMemory(Descriptor(taking: number))
    }

    /// From now on missing pages of the range are reported.
    package func register(_ range: Range<UInt64>) throws {
        let error = godwit_uffd_register(
            descriptor.number, range.lowerBound, range.upperBound - range.lowerBound)
        guard error == 0 else {
            throw GodwitError.kernel("register memory with a userfaultfd", code: error)
        }
    }
}
