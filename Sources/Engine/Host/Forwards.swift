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
            case .leaving: try await equipment.removeForwards(of: name)
            case .arriving: try await exclusively(name) { try await cut($0) }
            }
        }
    }

    /// Ends what is due, for ever; a child of `run`.
    func endForwardsInTime() async {
        await inTime("forwarding could not be ended yet") { try await endDueForwards() }
    }

    /// - Returns: when the next is due; nil if none is.
    package func endDueForwards() async throws -> Timestamp? {
        let now = Timestamp.now
        // One that a migration has now may be about to leave.
        let here = try store.instances().filter { !$0.isArriving && $0.lock == nil }
        let back = here.filter(\.isWanted).map(\.definition)
        try await equipment.removeForwards { forward in
            guard let until = forward.until else { return !isUnderWay(forward.id) }
            return until <= now || back.contains { $0.hasInterfaces(of: forward.definition) }
        }
        for record in here {
            guard let ends = record.definition.cableEnds, ends <= now else { continue }
            // One that an operation has now is looked at again.
            guard !operating.contains(record.definition.name) else { continue }
            try await exclusively(record.definition.name) { try await cut($0) }
        }
        return try (store.forwards().compactMap(\.until) + here.compactMap(\.definition.cableEnds))
            .filter { $0 > now }.min()
    }

    private func isUnderWay(_ id: MigrationID) -> Bool {
        sources[id].map { !$0.isConcluded } ?? false
    }

    private func cut(_ record: InstanceRecord) async throws {
        let driver = try equipment.driver(record.definition.kind)
        guard let driver = driver as? any TrafficForwarding else { return }
        try await driver.cutCables(record.definition)
        try store.change(record.definition.name, lockedBy: nil) { $0.definition.removeCables() }
    }
}

extension Equipment {
    /// Those of moves that have come to their end.
    func removeForwards(of name: InstanceName) async throws {
        try await removeForwards { $0.definition.name == name && $0.until != nil }
    }

    func removeForwards(where isWanted: (ForwardRecord) -> Bool) async throws {
        for record in try store.forwards() where isWanted(record) {
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

    /// When what comes to it from the network that it has left ends; nil if nothing does.
    var cableEnds: Timestamp? { interfaces.compactMap(\.cableEnds).min() }

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
