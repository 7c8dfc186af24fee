import Logging
package import MigrationCore

/// Traffic that follows instances from here, or comes to them from the hosts that they have left.
extension HostService {
    package func forwards() async throws -> [Forward] {
        try recoverOnce()
        let leaving = try store.forwards().map {
            Forward(
                instance: $0.definition.name, direction: .leaving, other: $0.other,
                until: $0.until)
        }
        let arriving = try store.instances().compactMap { record -> Forward? in
            guard let interface = record.definition.interfaces.first(where: { $0.cable != nil }),
                let cable = interface.cable
            else { return nil }
            return Forward(
                instance: record.definition.name, direction: .arriving, other: cable.other,
                until: interface.cableEnds)
        }
        return leaving + arriving
    }

    package func endForward(_ name: InstanceName) async throws {
        let known = try await forwards().filter { $0.instance == name && $0.until != nil }
        guard !known.isEmpty else {
            throw GodwitError(
                .notFound, "no traffic of an instance \(name) is forwarded",
                remedy: "see `godwit forward list`")
        }
        for forward in known {
            switch forward.direction {
            case .leaving: try await equipment.removeForwards { $0.definition.name == name }
            case .arriving: try await exclusively(name) { try await cut($0) }
            }
        }
    }

    /// Ends what is due, for ever; a child of `run`.
    func endForwardsInTime() async {
        while !Task.isCancelled {
            do { try await endDueForwards() } catch {
                logger.warning(
                    "forwarding could not be ended yet", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: Self.forwardsAreLookedAt)
        }
    }

    private static let forwardsAreLookedAt = Duration.seconds(1)

    private func endDueForwards() async throws {
        let now = Timestamp.now
        // One that a migration has now may be about to leave.
        let here = try store.instances()
            .filter { $0.isWanted && !$0.isArriving && $0.lock == nil }.map(\.definition)
        try await equipment.removeForwards { forward in
            let isDue = forward.until.map { $0 <= now } ?? false
            return isDue || here.contains { $0.hasInterfaces(of: forward.definition) }
        }
        for record in try store.instances() where record.lock == nil && !record.isArriving {
            let ends = record.definition.interfaces.compactMap(\.cableEnds).min()
            guard let ends, ends <= now else { continue }
            // One that an operation has now is looked at again.
            try? await exclusively(record.definition.name) { try await cut($0) }
        }
    }

    private func cut(_ record: InstanceRecord) async throws {
        let driver = try equipment.driver(record.definition.kind)
        guard let driver = driver as? any TrafficForwarding else { return }
        try await driver.cutCables(record.definition)
        try store.change(record.definition.name, lockedBy: nil) { $0.definition.removeCables() }
    }
}

extension Equipment {
    /// Of moves that have come to their end.
    func removeForwards(where isWanted: (ForwardRecord) -> Bool) async throws {
        for record in try store.forwards() where record.until != nil && isWanted(record) {
            guard let driver = try driver(record.definition.kind) as? any TrafficForwarding else {
                continue
            }
            try await driver.removeCables(record.definition)
            try store.removeForward(record.id)
        }
    }
}

extension InstanceDefinition {
    /// Whether it is the same instance, come back.
    func hasInterfaces(of other: InstanceDefinition) -> Bool {
        name == other.name
            && interfaces.map(\.hardwareAddress) == other.interfaces.map(\.hardwareAddress)
    }

    mutating func endCables(at time: Timestamp) {
        for index in interfaces.indices where interfaces[index].cable != nil {
            interfaces[index].cableEnds = time
        }
    }

    mutating func removeCables() {
        for index in interfaces.indices {
            interfaces[index].cable = nil
            interfaces[index].cableEnds = nil
        }
    }
}
