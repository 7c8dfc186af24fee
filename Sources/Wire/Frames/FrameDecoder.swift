package import MigrationCore
package import NIOCore

/// A frame as it is handed on: whole, but for data, whose bytes are handed on as they arrive.
package struct Frame: Equatable {
    package let kind: FrameKind
    package let payload: [UInt8]
}

/// Cuts what arrives into frames, holding at most one header and one message that is not yet whole.
///
/// Memory is taken as bytes arrive, never for what a header announces.
package struct FrameDecoder {
    package var rules: FrameRules
    private var header = ByteBuffer()
    private var body: Body?

    private struct Body {
        let kind: FrameKind
        var missing: Int
        var bytes: [UInt8] = []
    }

    package init(rules: FrameRules) { self.rules = rules }

    /// True between two frames: the only place where a connection may end.
    package var isBetweenFrames: Bool { body == nil && header.readableBytes == 0 }

    /// The next frame in `bytes`, nil once they are used up; an error ends the conversation.
    package mutating func next(from bytes: inout ByteBuffer) throws(GodwitError) -> Frame? {
        if body == nil {
            guard let begun = try begin(&bytes) else { return nil }
            body = begun
        }
        guard var current = body else { preconditionFailure("a frame was begun") }
        if current.kind == .data { return data(&current, from: &bytes) }
        let count = min(current.missing, bytes.readableBytes)
        current.bytes += bytes.readBytes(length: count) ?? []
        current.missing -= count
        guard current.missing == 0 else {
            body = current
            return nil
        }
        body = nil
        return Frame(kind: current.kind, payload: current.bytes)
    }

    private mutating func data(_ current: inout Body, from bytes: inout ByteBuffer) -> Frame? {
        let count = min(current.missing, bytes.readableBytes)
        guard count > 0, let piece = bytes.readBytes(length: count) else { return nil }
        current.missing -= count
        body = current.missing == 0 ? nil : current
        return Frame(kind: .data, payload: piece)
    }

    private mutating func begin(_ bytes: inout ByteBuffer) throws(GodwitError) -> Body? {
        if header.readableBytes == 0, bytes.readableBytes >= FrameHeader.size {
            return try body(for: FrameHeader(reading: &bytes))
        }
        let wanted = min(FrameHeader.size - header.readableBytes, bytes.readableBytes)
        if var part = bytes.readSlice(length: wanted) { header.writeBuffer(&part) }
        guard header.readableBytes == FrameHeader.size else { return nil }
        let whole = try FrameHeader(reading: &header)
        header.clear()
        return try body(for: whole)
    }

    private func body(for header: FrameHeader) throws(GodwitError) -> Body {
        Body(kind: header.kind, missing: try rules.admit(header))
    }
}
