import MigrationCore

/// One control connection of one migration: what is to be said waits here in order, so that a peer
/// which does not read never holds up the runner.
final class Link: Sendable {
    let number: Int
    private let channel: any MessageChannel
    let migration: MigrationID
    private let outgoing: AsyncStream<Message>
    private let continuation: AsyncStream<Message>.Continuation
    private let flushed = Latch()

    init(_ channel: any MessageChannel, number: Int, migration: MigrationID) {
        self.channel = channel
        self.number = number
        self.migration = migration
        (outgoing, continuation) = AsyncStream.makeStream()
    }

    func send(_ message: Message) { continuation.yield(message) }

    /// What was sent before still leaves, then the connection is closed.
    func finish() { continuation.finish() }

    /// Says what is to be said until `finish`; returns with the connection closed.
    func write() async {
        for await message in outgoing {
            let envelope = Envelope(version: 1, migration: migration, message: message)
            do { try await channel.send(envelope) } catch { break }
        }
        await channel.close()
        flushed.open()
    }

    /// Hands over what the peer says and returns when it says nothing more.
    func read(_ body: (Message) async -> Void) async {
        while let envelope = try? await channel.receive() {
            guard envelope.migration == migration else { break }
            await body(envelope.message)
        }
    }

    /// Returns when all has left or the time is over.
    func flush(within limit: Duration) async {
        finish()
        _ = try? await withDeadline(limit, for: "the last word") { [flushed] in
            await flushed.wait()
        }
    }
}
