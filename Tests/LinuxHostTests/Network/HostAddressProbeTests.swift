import LinuxHost
import MigrationCore
import Testing

/// Whether somebody has an address already, on real bridges.
@Suite(.timeLimit(.minutes(2))) struct HostAddressProbeTests {
    private func interface(
        _ addresses: [String], bridge: String = "br0",
        hardware: String = HoldScene.interface.hardwareAddress
    ) -> InterfaceDefinition {
        InterfaceDefinition(
            name: "eth0", bridge: bridge, hardwareAddress: hardware, addresses: addresses)
    }

    @Test func `who answers from elsewhere has the address, the instance itself does not`()
        async throws
    {
        try await HoldScene.withInstance { scene in
            // The client's own, the instance's, and nobody's.
            let all = [
                "10.9.0.1/24", "fd09::1/64", "10.9.0.7/24", "fd09::7/64", "10.9.0.99/24",
                "fd09::99/64",
            ]
            let found = await AddressProbe.answered(for: [interface(all)], host: scene.b)
            #expect(found == ["10.9.0.1", "fd09:0:0:0:0:0:0:1"])
            let stranger = interface(all, hardware: "02:00:5e:10:00:99")
            #expect(
                await AddressProbe.answered(for: [stranger], host: scene.b) == [
                    "10.9.0.1", "fd09:0:0:0:0:0:0:1", "10.9.0.7", "fd09:0:0:0:0:0:0:7",
                ])
            // Another interface of the same instance, which answers for all of its addresses.
            let second = interface(["10.9.0.7/24"], hardware: "02:00:5e:10:00:08")
            let both = [second, interface([])]
            #expect(await AddressProbe.answered(for: both, host: scene.b) == [])
        }
    }

    @Test func `what cannot be asked is passed over`() async throws {
        try await HoldScene.with { scene in
            let missing = interface(["10.9.0.1/24"], bridge: "nowhere")
            #expect(await AddressProbe.answered(for: [missing], host: scene.a) == [])
            try await scene.ip(scene.b, ["link set br0 down"])
            #expect(
                await AddressProbe.answered(for: [interface(["10.9.0.1/24"])], host: scene.b)
                    == [])
            #expect(await AddressProbe.answered(for: [interface([])], host: scene.a) == [])
        }
    }
}
