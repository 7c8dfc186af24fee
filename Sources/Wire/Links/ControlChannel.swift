package import MigrationCore
import NIOCore

/// The control conversation over one connection, with signs of life both ways.
package final class ControlChannel: MessageChannel {
    let link: FrameLink

    init(_ link: FrameLink) { self.link = link }

    deinit { link.abandon(within: link.timing.linger) }

    package func send(_ envelope: Envelope) async throws {
        try await link.send(.message, Payload.encode(envelope, limit: Limit.message))
    }

    package func receive() async throws -> Envelope? {
        guard let frame = try await link.next() else { return nil }
        do { return try Payload.decode(Envelope.self, from: frame.payload) } catch {
            link.fail(error, telling: error)
            throw error
        }
    }

    package func close() async {
        try? await link.finish()
        link.abandon(within: link.timing.linger)
        try? await link.channel.closeFuture.get()
    }
}
