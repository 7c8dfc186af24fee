import LinuxHost
package import MigrationCore

extension OCIDriver: PacketHolding {
    package func prepareHold(_ definition: InstanceDefinition) async throws {
        await packetHolds.drop(definition.name)
        var prepared: [PacketHold] = []
        do {
            let wired = configuration.wired(definition)
            for (interface, end) in zip(wired, hostEnds(definition)) {
                prepared.append(try await PacketHold.prepare(interface, beside: end))
            }
        } catch {
            for hold in prepared { await hold.drop() }
            throw error
        }
        packetHolds.put(prepared, for: definition.name)
    }

    package func startHold(_ definition: InstanceDefinition) async throws {
        for (interface, hold) in zip(definition.interfaces, packetHolds.of(definition.name) ?? []) {
            try hold.start()
            try hold.announce(Announcement(interface: interface))
        }
        // What clients send to published ports comes here from now on, and is kept.
        try await publishedPorts(definition)?.open()
    }

    package func takeHeld(_ definition: InstanceDefinition) async throws -> [[UInt8]] {
        let known = zip(definition.interfaces, packetHolds.of(definition.name) ?? [])
        return known.flatMap { interface, hold in
            HeldBatch.batches(hold.take(), interface: interface.name).map(\.encoded)
        }
    }

    package func giveHeld(_ message: [UInt8], to definition: InstanceDefinition) async throws {
        let batch = try HeldBatch(decoding: message)
        let known = zip(definition.interfaces, packetHolds.of(definition.name) ?? [])
        guard let hold = known.first(where: { $0.0.name == batch.interface })?.1 else {
            throw GodwitError(
                .protocolViolation,
                "packets came for an interface \(batch.interface) that the instance does not have")
        }
        hold.give(batch.frames)
    }

    /// Lets the instance have what was kept, and everything from now on.
    func resumeTraffic(_ definition: InstanceDefinition) async throws {
        let holds = packetHolds.of(definition.name)
        let process = try firstProcess(definition)
        for (index, interface) in definition.interfaces.enumerated() where interface.isMacvlan {
            guard let process else { continue }
            if let holds {
                let end = hostEnds(definition)[index]
                _ = try await holds[index].deliver(into: end, of: process)
            } else {
                try await MacvlanEnd(name: interface.name).open(of: process)
            }
        }
        for (index, end) in hostEnds(definition).enumerated() where end.exists {
            if let holds, let process {
                _ = try await holds[index].deliver(into: end, of: process)
            } else {
                try end.unsilence()
            }
        }
        try? await announce(definition)
        for interface in definition.interfaces {
            // It only asks more often than it need.
            if let process { try? NeighbourQuestions.calm(interface.name, of: process) }
        }
        // The instance has everything. A task of its own, since the kernel takes 20 ms to let go of
        // each tap, for which neither the receipt nor a thaw should wait.
        let finished = packetHolds.take(definition.name) ?? []
        Task { for hold in finished { await hold.drop() } }
    }
}
