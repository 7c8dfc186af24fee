/// What can keep the packets that arrive for an instance while it stands still.
///
/// The source keeps them from its freeze on and hands them over; the target keeps them from the
/// moment in which it hears of the freeze. Whichever lets the instance run delivers them first.
package protocol PacketHolding: Checkpointable {
    /// Makes ready what takes time, on either side, before the freeze. At the source `freeze` then
    /// keeps and `thaw` delivers; at the target `restore` delivers, `discardRestore` drops.
    func prepareHold(_ definition: InstanceDefinition) async throws
    /// Target: keeps from now on, and draws the instance's packets here.
    func startHold(_ definition: InstanceDefinition) async throws
    /// Source: hands out what was kept, as messages of at most `Limit.heldBatch` each.
    func takeHeld(_ definition: InstanceDefinition) async throws -> [[UInt8]]
    /// Target: will deliver these before its own.
    ///
    /// - Throws: `protocolViolation` for what `takeHeld` does not make.
    func giveHeld(_ message: [UInt8], to definition: InstanceDefinition) async throws
}
