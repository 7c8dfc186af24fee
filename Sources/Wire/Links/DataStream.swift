package import MigrationCore

/// A stream of bytes over one connection.
package final class DataStream: ByteStream {
    /// Longer slices are cut, so that a limited or slow link sees small steps.
    private static let piece = 256 << 10

    let link: FrameLink
    /// Nil at the end that was called: it may send as it likes.
    private let throttle: Throttle?

    init(_ link: FrameLink, throttle: Throttle? = nil) {
        self.link = link
        self.throttle = throttle
    }

    /// Whoever forgets a stream has given it up.
    deinit { link.abandon(within: link.timing.silence) }

    package func read() async throws -> [UInt8]? { try await link.next()?.payload }

    package func write(_ bytes: ArraySlice<UInt8>) async throws {
        var rest = bytes
        while !rest.isEmpty {
            let piece = rest.prefix(Self.piece)
            rest = rest.dropFirst(Self.piece)
            try await wait(for: piece.count)
            try await link.write(.data, piece)
        }
    }

    private func wait(for bytes: Int) async throws {
        guard let throttle else { return }
        do { try await throttle.pass(bytes) { [link] in link.isOver } } catch { link.cancel() }
    }

    package func finish() async throws { try await link.finish() }

    package func cancel() async { link.cancel() }

    /// Ends both directions and makes the peer's next call throw `reason`.
    package func fail(_ reason: GodwitError) async { link.fail(reason, telling: reason) }
}
