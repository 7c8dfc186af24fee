import MigrationCore

/// How a checkpoint's files follow each other on a stream. Numbers are little-endian.
///
///     0        4        6        8
///     +--------+--------+--------+
///     | "GDCP" | v: u16 | 0: u16 |                      once
///     +--------+--------+--------+
///     | name length: u16 | name | size: u64 | content | for each file
///     +------------------+------+-----------+---------+
///     | 0: u16           | file count: u32            | at the end
///     +------------------+----------------------------+
///
/// A name is 1 to 255 printable ASCII characters without a slash and does not start with a dot; no
/// name comes twice. A reader takes version 1 only and names both versions when it refuses.
enum CheckpointFormat {
    static let magic: [UInt8] = Array("GDCP".utf8)
    static let version: UInt16 = 1
    static let nameLimit = 255
    /// What is read of a file and written to the stream at once.
    static let chunk = Int(Limit.frame.bytes)

    static let header = magic + bytes(version) + bytes(UInt16(0))

    static func isPlain(_ name: String) -> Bool {
        let bytes = name.utf8
        return (1...nameLimit).contains(bytes.count) && bytes.first != 0x2e
            && bytes.allSatisfy { (0x21...0x7e).contains($0) && $0 != 0x2f }
    }

    static func bytes(_ number: some FixedWidthInteger & UnsignedInteger) -> [UInt8] {
        (0..<number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }

    static func number<Number: FixedWidthInteger & UnsignedInteger>(
        _ bytes: [UInt8], as type: Number.Type
    ) -> Number {
        precondition(bytes.count == Number.bitWidth / 8)
        return bytes.reversed().reduce(0) { $0 << 8 | Number($1) }
    }

    static func violation(_ message: String) -> GodwitError {
        GodwitError(.protocolViolation, "the checkpoint stream \(message)")
    }
}
