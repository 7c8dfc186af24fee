package import LinuxHost

/// A page of an address space.
package struct PagePlace: Hashable {
    package var task: Int32
    package var page: UInt64

    package init(task: Int32, page: UInt64) {
        self.task = task
        self.page = page
    }
}

/// Which place on the target holds which content, as far as one stream has brought it there lately.
///
/// Bounded: a new content may push an old one out. Exact: a place that is named holds that content,
/// as long as every change of a place is told by `forget` or `note`.
package struct RepeatTable {
    private struct Slot {
        var hash = PageHash(low: 0, high: 0)
        /// Task 0 is nobody's: the slot is empty.
        var place = PagePlace(task: 0, page: 0)

        func place(of wanted: PageHash) -> PagePlace? {
            hash.low == wanted.low && hash.high == wanted.high && place.task != 0 ? place : nil
        }
    }

    /// By content.
    private var slots: [Slot]
    /// By place: the slot that its content was put into, plus one. It may be another's by now.
    private var owners: [UInt32]
    private let mask: Int

    /// - Parameter capacity: a power of two, at least 2; each takes 48 bytes.
    package init(capacity: Int) {
        precondition(capacity > 1 && capacity & (capacity - 1) == 0)
        slots = Array(repeating: Slot(), count: capacity)
        owners = Array(repeating: 0, count: capacity * 4)
        mask = capacity - 1
    }

    /// A place that holds the content.
    package func place(of hash: PageHash) -> PagePlace? {
        let first = index(hash)
        if let place = slots[first].place(of: hash) { return place }
        return slots[first ^ 1].place(of: hash)
    }

    /// The place is about to hold this content.
    package mutating func note(_ hash: PageHash, at place: PagePlace) {
        let owner = ownerIndex(place)
        let before = Int(owners[owner]) - 1
        // Of places with one index only one can be found again, so the other's content goes.
        if before >= 0, isOccupied(before), ownerIndex(slots[before].place) == owner {
            slots[before] = Slot()
        }
        let index = slot(for: hash)
        // The place that was in there still names this slot, and will see that it is another's.
        slots[index] = Slot(hash: hash, place: place)
        owners[owner] = UInt32(index + 1)
    }

    /// The place is about to hold something else.
    package mutating func forget(_ place: PagePlace) {
        let index = Int(owners[ownerIndex(place)]) - 1
        guard index >= 0, slots[index].place == place else { return }
        slots[index] = Slot()
    }

    private func isOccupied(_ index: Int) -> Bool { slots[index].place.task != 0 }

    private func index(_ hash: PageHash) -> Int { Int(truncatingIfNeeded: hash.low) & mask }

    /// The one of two that holds the content, or is free, or has its turn to give way.
    private func slot(for hash: PageHash) -> Int {
        let first = index(hash)
        let second = first ^ 1
        if slots[first].hash == hash { return first }
        if slots[second].hash == hash { return second }
        if !isOccupied(first) { return first }
        if !isOccupied(second) { return second }
        return hash.high & 1 == 0 ? first : second
    }

    /// Neighbours have neighbouring indices: pages come in order, and memory is read in lines.
    private func ownerIndex(_ place: PagePlace) -> Int {
        let start = UInt64(UInt32(bitPattern: place.task)) &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: place.page &+ start >> 32) & (owners.count - 1)
    }
}
