import MigrationCore

/// What became of the frames that a hold saw.
package struct HoldTally: Codable, Equatable, Sendable {
    /// Kept here, and come from the other host.
    package var kept = 0
    package var given = 0
    /// Handed to the caller, to be sent to the other host.
    package var taken = 0
    /// Handed to the instance, and refused by its interface.
    package var delivered = 0
    package var undelivered = 0
    /// Lost because the bound was reached.
    package var dropped = 0
    /// Sent to many and none of the instance's business.
    package var passedOver = 0

    package init() {}
}

/// Frames in the order in which they are to be delivered: those that the other host kept, then
/// those kept here. Each half is bounded; what comes when a half is full is lost and counted.
package struct HoldStore: Sendable {
    package private(set) var tally = HoldTally()
    package init() {}

    private var given = Bounded()
    private var kept = Bounded()

    package mutating func keep(_ frame: HeldFrame) {
        if kept.append(frame) { tally.kept += 1 } else { tally.dropped += 1 }
    }

    /// Takes over a frame that the other host kept.
    package mutating func give(_ frame: HeldFrame) {
        if given.append(frame) { tally.given += 1 } else { tally.dropped += 1 }
    }

    mutating func passOver() { tally.passedOver += 1 }

    /// Hands out the frames kept here, for the other host.
    package mutating func take() -> [HeldFrame] {
        let frames = kept.removeAll()
        tally.taken += frames.count
        return frames
    }

    /// Hands out everything, for the instance.
    package mutating func removeAll() -> [HeldFrame] { given.removeAll() + kept.removeAll() }

    mutating func delivered(_ isDelivered: Bool) {
        if isDelivered { tally.delivered += 1 } else { tally.undelivered += 1 }
    }

    /// A frame that went through without being kept.
    mutating func deliveredAtOnce(_ isDelivered: Bool) {
        tally.kept += 1
        delivered(isDelivered)
    }

    private struct Bounded: Sendable {
        private var frames: [HeldFrame] = []
        private var bytes = 0

        mutating func append(_ frame: HeldFrame) -> Bool {
            guard frames.count < Limit.heldFrames,
                bytes + frame.bytes.count <= Int(Limit.heldBytes.bytes)
            else { return false }
            bytes += frame.bytes.count
            frames.append(frame)
            return true
        }

        mutating func removeAll() -> [HeldFrame] {
            defer { (frames, bytes) = ([], 0) }
            return frames
        }
    }
}
