import MigrationCore

/// One command of a stream of `btrfs send`, with its attributes.
package struct SendCommand: Equatable, Sendable {
    /// The numbers of `enum btrfs_send_cmd` (fs/btrfs/send.h); version 1 has all of them.
    package enum Kind: UInt16, Sendable {
        case subvolume = 1
        case snapshot, makeFile, makeDirectory, makeNode, makeFIFO, makeSocket, symbolicLink
        case rename, link, unlink, removeDirectory, setAttribute, removeAttribute, write, clone
        case truncate, mode, owner, times, end
    }

    /// The numbers of `enum btrfs_send_attr`, of those that are read.
    enum Attribute: UInt16 {
        case uuid = 1
        case size = 4
        case mode = 5
        case user = 6
        case group = 7
        case device = 8
        case modified = 10
        case accessed = 11
        case attributeName = 13
        case attributeValue = 14
        case path = 15
        case pathTo = 16
        case pathLink = 17
        case offset = 18
        case data = 19
        case cloneUUID = 20
        case clonePath = 22
        case cloneOffset = 23
        case cloneLength = 24
    }

    package let kind: Kind
    private let attributes: [Attribute: ArraySlice<UInt8>]

    /// - Parameter payload: type, length (each 16 bits, little-endian) and value of each attribute.
    init(kind: Kind, payload: ArraySlice<UInt8>) throws {
        var attributes: [Attribute: ArraySlice<UInt8>] = [:]
        var rest = payload
        while !rest.isEmpty {
            guard rest.count >= 4 else { throw Self.nonsense("a cut attribute") }
            let type = UInt16(rest.number(at: 0, bytes: 2))
            let length = Int(rest.number(at: 2, bytes: 2))
            guard rest.count >= 4 + length else { throw Self.nonsense("a cut attribute") }
            // Those that are not read are passed over.
            if let attribute = Attribute(rawValue: type) {
                let start = rest.startIndex + 4
                attributes[attribute] = rest[start..<start + length]
            }
            rest = rest.dropFirst(4 + length)
        }
        self.kind = kind
        self.attributes = attributes
    }

    func bytes(_ attribute: Attribute) throws -> ArraySlice<UInt8> {
        guard let value = attributes[attribute] else {
            throw Self.nonsense("the command \(kind) without \(attribute)")
        }
        return value
    }

    func number(_ attribute: Attribute) throws -> UInt64 {
        let value = try bytes(attribute)
        guard value.count == 8 else { throw Self.nonsense("\(attribute) of \(value.count) bytes") }
        return value.number(at: 0, bytes: 8)
    }

    /// 32 hexadecimal digits.
    package func identity(isClone: Bool) throws -> String {
        let value = try bytes(isClone ? .cloneUUID : .uuid)
        guard value.count == 16 else { throw Self.nonsense("a UUID of \(value.count) bytes") }
        return value.hexadecimal
    }

    func time(_ attribute: Attribute) throws -> FileTime {
        let value = try bytes(attribute)
        guard value.count == 12, value.number(at: 8, bytes: 4) < 1_000_000_000 else {
            throw Self.nonsense("a time that is none")
        }
        return FileTime(
            seconds: Int64(bitPattern: value.number(at: 0, bytes: 8)),
            nanoseconds: Int64(value.number(at: 8, bytes: 4)))
    }

    static func nonsense(_ what: String) -> GodwitError {
        GodwitError(
            .protocolViolation, "a stream of btrfs holds \(what)",
            remedy: "run the same version of godwit on both hosts")
    }
}

/// Cuts a stream of version 1 into its commands.
///
///     "btrfs-stream\0" · version: u32
///     length: u32 · kind: u16 · CRC-32C: u32 · payload        little-endian, for each command
///
/// The checksum is passed over: the stream has come through TLS.
package struct SendStreamReader: Sendable {
    private var buffer: [UInt8] = []
    private var start = 0
    private var hasBegun = false

    package init() {}

    package mutating func feed(_ bytes: [UInt8]) {
        buffer.removeFirst(start)
        start = 0
        buffer += bytes
    }

    /// The next command; nil if more has to be fed first.
    ///
    /// - Throws: `protocolViolation` for what is no such stream, or longer than a command can be.
    package mutating func next() throws -> SendCommand? {
        if !hasBegun {
            guard let head = take(Self.magic.count + 4) else { return nil }
            guard head.starts(with: Self.magic), head.number(at: 13, bytes: 4) == 1 else {
                throw SendCommand.nonsense("another beginning than one of version 1")
            }
            hasBegun = true
        }
        guard let header = peek(Self.headerSize) else { return nil }
        let length = header.number(at: 0, bytes: 4)
        guard length <= UInt64(Limit.sendCommand.bytes) else {
            throw SendCommand.nonsense("a command of \(length) bytes")
        }
        guard let kind = SendCommand.Kind(rawValue: UInt16(header.number(at: 4, bytes: 2))) else {
            throw SendCommand.nonsense("a command of kind \(header.number(at: 4, bytes: 2))")
        }
        guard let whole = take(Self.headerSize + Int(length)) else { return nil }
        return try SendCommand(kind: kind, payload: whole.dropFirst(Self.headerSize))
    }

    /// Whether all that was fed has been read.
    package var isEmpty: Bool { start == buffer.count }

    private static let magic = Array("btrfs-stream\0".utf8)
    private static let headerSize = 10

    private func peek(_ count: Int) -> ArraySlice<UInt8>? {
        buffer.count - start >= count ? buffer[start..<start + count] : nil
    }

    private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard let bytes = peek(count) else { return nil }
        start += count
        return bytes
    }
}

extension ArraySlice<UInt8> {
    /// A little-endian number.
    fileprivate func number(at offset: Int, bytes: Int) -> UInt64 {
        precondition(bytes <= 8 && offset + bytes <= count, "a number beyond the end")
        return (0..<bytes).reduce(0) { $0 | UInt64(self[startIndex + offset + $1]) << ($1 * 8) }
    }
}
