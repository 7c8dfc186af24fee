/// Takes a text in pieces and gives it back in lines.
package struct ByteLines: Sendable {
    private var rest: [UInt8] = []

    package init() {}

    package mutating func take(_ bytes: [UInt8], _ body: ([UInt8]) throws -> Void) rethrows {
        var start = bytes.startIndex
        while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = rest + bytes[start..<end]
            rest.removeAll(keepingCapacity: true)
            start = end + 1
            try body(line)
        }
        rest += bytes[start...]
    }

    /// The line without an end, if there is one.
    package mutating func finish(_ body: ([UInt8]) throws -> Void) rethrows {
        let line = rest
        rest = []
        if !line.isEmpty { try body(line) }
    }
}
