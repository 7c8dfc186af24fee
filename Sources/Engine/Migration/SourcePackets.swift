import MigrationCore

/// The packets that arrive for the frozen instance.
extension SourceWork {
    func packetDriver() throws -> (any PacketHolding)? {
        try driver() as? any PacketHolding
    }

    /// By now the target has announced the addresses: what still came here is handed over.
    func sendPackets() async throws {
        guard let stream = standingPackets,
            let driver = try packetDriver()
        else { return }
        try await Task.sleep(for: Self.handOver)
        for message in try await driver.takeHeld(definition) {
            try await stream.write(PacketMessages.framed(message)[...])
        }
        await settle(stream, .packets)
    }

    /// For so long packets may still come to the source; other parts of the freeze take longer.
    private static let handOver = Duration.milliseconds(30)
}
