import LinuxHost
package import MigrationCore

extension OCIConfiguration {
    /// The instance's interfaces with the bridges whose ports they really are: behind a cable one
    /// of its own.
    func wired(_ definition: InstanceDefinition) -> [InterfaceDefinition] {
        zip(definition.interfaces, cables(of: definition)).map { interface, cable in
            var interface = interface
            if interface.cable != nil { interface.bridge = cable.detour }
            return interface
        }
    }

    func cables(of definition: InstanceDefinition) -> [Cable] {
        zip(definition.interfaces, hostEnds(of: definition)).map(Cable.init)
    }
}

extension OCIDriver: TrafficForwarding {
    package func layCables(_ definition: InstanceDefinition, _ ends: CableEnds) async throws {
        let cables = configuration.cables(of: definition)
        for (interface, cable) in zip(definition.interfaces, cables) {
            try await cable.lay(ends, into: interface.bridge)
        }
    }

    package func removeCables(_ definition: InstanceDefinition) async throws {
        for cable in configuration.cables(of: definition) { try await cable.remove() }
    }

    package func cutCables(_ definition: InstanceDefinition) async throws {
        let cables = zip(configuration.cables(of: definition), hostEnds(definition))
        for (interface, (cable, end)) in zip(definition.interfaces, cables)
        where interface.cable != nil {
            // Where there is no such bridge the instance has no network from now on.
            if end.exists, HostEnd(name: interface.bridge).exists {
                try await Ip.join(end.name, to: interface.bridge).check()
            }
            try await cable.remove()
        }
        try? await announce(definition)
    }

    /// Makes the ways to the network that the instance has left, where it is joined to that.
    func layDetours(_ definition: InstanceDefinition) async throws {
        let cables = configuration.cables(of: definition)
        for (interface, cable) in zip(definition.interfaces, cables) {
            if let ends = interface.cable { try await cable.layDetour(ends) }
        }
    }

    func removeDetours(_ definition: InstanceDefinition) async throws {
        let cables = configuration.cables(of: definition)
        for (interface, cable) in zip(definition.interfaces, cables) where interface.cable != nil {
            try await cable.remove()
        }
    }
}
