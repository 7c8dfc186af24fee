import MigrationCore

/// One whole Ethernet frame with complete checksums, as a wire would carry it.
package struct HeldFrame: Equatable, Sendable {
    package let bytes: [UInt8]

    static let sizes = 14...Limit.heldFrame

    /// Nil for what is too short or too long for a frame.
    package init?(_ bytes: some Collection<UInt8>) {
        guard Self.sizes.contains(bytes.count) else { return nil }
        self.bytes = Array(bytes)
    }
}

/// Frames of one interface, on their way to the other host.
///
///     0        4     5        6
///     +--------+-----+--------+------+--------------+-------+-------------+-------+---
///     | "GWHF" | v:1 | n: u8  | name | bytes: u32   | frame | bytes: u32  | frame | ...
///     +--------+-----+--------+------+--------------+-------+-------------+-------+---
///
/// Numbers are little-endian; the name is the interface's inside the instance; frames follow until
/// the end.
package struct HeldBatch: Equatable, Sendable {
    package let interface: String
    package let frames: [HeldFrame]

    private static let magic = Array("GWHF".utf8) + [1]
    private static let names = 1...15

    /// Cuts the frames into batches of which none is larger than `Limit.heldBatch`.
    package static func batches(_ frames: [HeldFrame], interface: String) -> [HeldBatch] {
        precondition(names.contains(interface.utf8.count), "an interface has a name")
        var batches: [HeldBatch] = []
        var next: [HeldFrame] = []
        let empty = magic.count + 1 + names.upperBound
        var size = empty
        for frame in frames {
            if size + 4 + frame.bytes.count > Int(Limit.heldBatch.bytes) {
                batches.append(HeldBatch(interface: interface, frames: next))
                (next, size) = ([], empty)
            }
            next.append(frame)
            size += 4 + frame.bytes.count
        }
        if !next.isEmpty { batches.append(HeldBatch(interface: interface, frames: next)) }
        return batches
    }

    private init(interface: String, frames: [HeldFrame]) {
        self.interface = interface
        self.frames = frames
    }

    package var encoded: [UInt8] {
        let name = Array(interface.utf8)
        var bytes = Self.magic + [UInt8(name.count)] + name
        for frame in frames {
            bytes += littleEndian(UInt32(frame.bytes.count))
            bytes += frame.bytes
        }
        return bytes
    }

    /// Reads what a peer sent.
    ///
    /// - Throws: `protocolViolation` for what `encoded` does not write, `limitExceeded` for more
    ///   than a batch may hold.
    package init(decoding bytes: [UInt8]) throws {
        guard bytes.count <= Int(Limit.heldBatch.bytes) else {
            throw GodwitError(.limitExceeded, "a batch of held frames has \(bytes.count) bytes")
        }
        var rest = bytes[...]
        guard rest.starts(with: Self.magic), let length = rest.dropFirst(Self.magic.count).first
        else { throw Self.violation("does not begin as one") }
        rest = rest.dropFirst(Self.magic.count + 1)
        let name = rest.prefix(Int(length))
        guard Self.names.contains(name.count), name.count == Int(length),
            name.allSatisfy({ (0x21...0x7e).contains($0) && $0 != 0x2f })
        else { throw Self.violation("names no interface") }
        rest = rest.dropFirst(name.count)
        interface = String(decoding: name, as: UTF8.self)
        frames = try Self.frames(in: rest)
    }

    private static func frames(in bytes: ArraySlice<UInt8>) throws -> [HeldFrame] {
        var rest = bytes
        var frames: [HeldFrame] = []
        while !rest.isEmpty {
            guard let size = number32(in: rest, at: 0) else { throw violation("ends in a number") }
            rest = rest.dropFirst(4)
            guard size <= UInt32(rest.count), let frame = HeldFrame(rest.prefix(Int(size))) else {
                throw violation("has a frame of \(size) bytes with \(rest.count) to come")
            }
            guard frames.count < Limit.heldFrames else {
                throw GodwitError(.limitExceeded, "a batch has too many held frames")
            }
            frames.append(frame)
            rest = rest.dropFirst(Int(size))
        }
        return frames
    }

    private static func violation(_ what: String) -> GodwitError {
        GodwitError(.protocolViolation, "a batch of held frames \(what)")
    }
}

func littleEndian(_ number: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
}

func littleEndian(_ number: UInt16) -> [UInt8] {
    [UInt8(truncatingIfNeeded: number), UInt8(number >> 8)]
}

/// A little-endian number; nil where the bytes end before.
func number32(in bytes: ArraySlice<UInt8>, at offset: Int) -> UInt32? {
    let four = bytes.dropFirst(offset).prefix(4)
    guard four.count == 4 else { return nil }
    return four.reversed().reduce(0) { $0 << 8 | UInt32($1) }
}
