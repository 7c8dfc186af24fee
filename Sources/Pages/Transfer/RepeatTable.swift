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
            hash == wanted && place.task != 0 ? place : nil
        }
    }

    /// By content.
    private var slots: [Slot]
    /// By place: the content's slot, plus one; 0 if there is none.
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
        let index = slot(for: hash)
        clear(index)
        let owner = ownerIndex(place)
        if owners[owner] != 0 { clear(Int(owners[owner]) - 1) }
        slots[index] = Slot(hash: hash, place: place)
        owners[owner] = UInt32(index + 1)
    }

    /// The place is about to hold something else.
    package mutating func forget(_ place: PagePlace) {
        let owner = owners[ownerIndex(place)]
        guard owner != 0, slots[Int(owner) - 1].place == place else { return }
        clear(Int(owner) - 1)
    }

    private mutating func clear(_ index: Int) {
        let place = slots[index].place
        guard place.task != 0 else { return }
        let owner = ownerIndex(place)
        precondition(owners[owner] == UInt32(index + 1), "a content and its place are linked")
        owners[owner] = 0
        slots[index] = Slot()
    }

    private func index(_ hash: PageHash) -> Int { Int(truncatingIfNeeded: hash.low) & mask }

    /// The one of two that holds the content, or is free, or has its turn to give way.
    private func slot(for hash: PageHash) -> Int {
        let first = index(hash)
        let second = first ^ 1
        if slots[first].hash == hash { return first }
        if slots[second].hash == hash { return second }
        if slots[first].place.task == 0 { return first }
        if slots[second].place.task == 0 { return second }
        return hash.high & 1 == 0 ? first : second
    }

    private func ownerIndex(_ place: PagePlace) -> Int {
        let mixed =
            (place.page &+ UInt64(UInt32(bitPattern: place.task)) << 40)
            &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: mixed >> 32) & (owners.count - 1)
    }
}
