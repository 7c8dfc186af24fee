package import MigrationCore

extension HostService: HostControl {
    package func information() async throws -> HostInformation {
        HostInformation(
            name: configuration.name,
            version: configuration.version,
            fingerprint: configuration.fingerprint,
            address: configuration.addresses.first ?? "",
            facts: try await equipment.hostFacts(for: nil)
        )
    }

    package func check() async throws -> HostCheck {
        let facts = try await equipment.hostFacts(for: nil)
        return HostCheck(facts: facts, findings: ownFindings(facts))
    }
}
