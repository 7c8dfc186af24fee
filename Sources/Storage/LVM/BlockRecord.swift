import LinuxHost
import MigrationCore

/// What the two ends of a first pass by blocks say to each other before data, as JSON in one frame.
///
///     target: FromTarget    source: FromSource, then records; or a pass by rsync
enum BlockNote {
    struct FromTarget: Codable, Equatable {
        /// Whether nothing is in the volume yet: another filesystem may take its place.
        var isBlank: Bool
    }

    struct FromSource: Codable, Equatable {
        /// Of the volume, in bytes.
        var size: ByteCount
        /// At most that many bytes of it will come at first.
        var used: ByteCount
    }

    static func readFromTarget(_ frames: inout SessionFrameReader) async throws -> FromTarget {
        try await SessionNote.read(&frames)
    }

    static func readFromSource(_ frames: inout SessionFrameReader) async throws -> FromSource {
        let note: FromSource = try await SessionNote.read(&frames)
        guard note.size > .zero, note.size <= Limit.largestPool, note.size.bytes % 512 == 0 else {
            throw SessionFrame.nonsense("a volume that cannot be")
        }
        return note
    }
}

/// A part of a volume, in one frame of data.
///
///     0      1             9
///     +------+-------------+----------------------------------+
///     | kind | offset: u64 | 1: content  2: zeros, length: u64 |     big-endian
///     +------+-------------+----------------------------------+
package enum BlockRecord: Equatable, Sendable {
    case content(UInt64, ArraySlice<UInt8>)
    case zeros(UInt64, count: UInt64)

    /// What one record holds at most.
    static let largest = 512 << 10
    /// The smallest part that is looked at for zeros.
    private static let grain = 64 << 10

    /// - Precondition: not empty.
    static func zeros(at range: Range<UInt64>) -> BlockRecord {
        .zeros(range.lowerBound, count: range.upperBound - range.lowerBound)
    }

    /// The bytes, in as few records as there are parts with and without content.
    package static func records(of bytes: [UInt8], at place: UInt64) -> [BlockRecord] {
        var parts: [(range: Range<Int>, isZero: Bool)] = []
        for begin in stride(from: 0, to: bytes.count, by: grain) {
            let end = min(begin + grain, bytes.count)
            let isZero = BlockDevice.isZero(bytes[begin..<end])
            if let last = parts.last, last.isZero == isZero {
                parts[parts.count - 1].range = last.range.lowerBound..<end
            } else {
                parts.append((begin..<end, isZero))
            }
        }
        return parts.map { range, isZero in
            let begin = place + UInt64(range.lowerBound)
            return isZero
                ? .zeros(begin, count: UInt64(range.count)) : .content(begin, bytes[range])
        }
    }

    package var encoded: [UInt8] {
        switch self {
        case .content(let place, let bytes):
            precondition((1...Self.largest).contains(bytes.count), "\(bytes.count) bytes")
            return [1] + Self.bytes(place) + bytes
        case .zeros(let place, let count):
            precondition(count > 0, "no zeros")
            return [2] + Self.bytes(place) + Self.bytes(count)
        }
    }

    /// - Parameter size: of the volume, of which no record may leave.
    /// - Throws: `protocolViolation`.
    package init(_ bytes: [UInt8], within size: UInt64) throws {
        guard bytes.count > 9 else { throw Self.nonsense }
        let place = Self.number(bytes[1..<9])
        let rest = bytes[9...]
        let count: UInt64
        switch bytes[0] {
        case 1:
            count = UInt64(rest.count)
            self = .content(place, rest)
        case 2 where rest.count == 8:
            count = Self.number(rest)
            self = .zeros(place, count: count)
        default: throw Self.nonsense
        }
        guard place <= size, (1...max(1, size)).contains(count), count <= size - place else {
            throw Self.nonsense
        }
    }

    private static let nonsense = SessionFrame.nonsense("a block that cannot be")

    private static func bytes(_ number: UInt64) -> [UInt8] {
        stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: number >> $0) }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}
