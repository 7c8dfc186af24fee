/// A number of bytes, told apart from pages, blocks and counts by its type.
package struct ByteCount: Hashable, Comparable, Sendable, Codable {
    package let bytes: UInt64

    package init(bytes: UInt64) { self.bytes = bytes }

    package init(from decoder: any Decoder) throws {
        bytes = try decoder.singleValueContainer().decode(UInt64.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(bytes)
    }

    package static let zero = ByteCount(bytes: 0)
    package static func kibibytes(_ count: UInt64) -> ByteCount { times(count, 1 << 10) }
    package static func mebibytes(_ count: UInt64) -> ByteCount { times(count, 1 << 20) }
    package static func gibibytes(_ count: UInt64) -> ByteCount { times(count, 1 << 30) }

    private static func times(_ count: UInt64, _ unit: UInt64) -> ByteCount {
        let (product, overflow) = count.multipliedReportingOverflow(by: unit)
        precondition(!overflow, "\(count) times \(unit) bytes")
        return ByteCount(bytes: product)
    }

    package static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }

    /// Saturates: a peer's figures may add up to anything.
    package static func + (left: ByteCount, right: ByteCount) -> ByteCount {
        let (sum, overflow) = left.bytes.addingReportingOverflow(right.bytes)
        return ByteCount(bytes: overflow ? .max : sum)
    }

    package static func += (left: inout ByteCount, right: ByteCount) { left = left + right }
}

/// A moment on the wall clock in milliseconds since 1970, as the host that wrote it saw it.
package struct Timestamp: Hashable, Comparable, Sendable, Codable {
    package let milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package init(from decoder: any Decoder) throws {
        milliseconds = try decoder.singleValueContainer().decode(Int64.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(milliseconds)
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.milliseconds < right.milliseconds
    }
}

/// The two ends of a migration, spelled like this everywhere.
package enum Side: String, Codable, Sendable, CaseIterable {
    case source, target
}

extension Sequence<UInt8> {
    /// Two digits a byte, in lower case.
    package var hexadecimal: String {
        map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
