/// The fields of the protobuf messages in CRIU's images.
package enum CriuMessage {
    package enum Field: Equatable {
        /// - Parameter at: where the value's first byte lies.
        case number(field: UInt64, value: UInt64, at: Int)
        /// A message, a text or bytes.
        case message(field: UInt64, body: ArraySlice<UInt8>)
    }

    /// - Returns: in the order in which they stand, with places as those of `message`; nil for what
    ///   is no message of varints and messages alone.
    package static func fields(of message: ArraySlice<UInt8>) -> [Field]? {
        var rest = message
        var found: [Field] = []
        while !rest.isEmpty {
            guard let key = varint(&rest) else { return nil }
            let at = rest.startIndex
            guard let value = varint(&rest) else { return nil }
            switch key & 7 {
            case 0: found.append(.number(field: key >> 3, value: value, at: at))
            case 2:
                guard value <= rest.count else { return nil }
                found.append(.message(field: key >> 3, body: rest.prefix(Int(value))))
                rest = rest.dropFirst(Int(value))
            default: return nil
            }
        }
        return found
    }

    /// - Returns: the message's numbers by their fields, and where they lie; nil as `fields`.
    package static func numbers(
        of message: ArraySlice<UInt8>
    ) -> [UInt64: (value: UInt64, at: Int)]? {
        fields(of: message)?.reduce(into: [:]) { found, field in
            guard case .number(let number, let value, let at) = field else { return }
            found[number] = (value, at)
        }
    }

    private static func varint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }
}
