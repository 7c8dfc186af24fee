import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// An instance whose interface is a macvlan of the host's uplink.
@Suite(.timeLimit(.minutes(4))) struct HostMacvlanTests {
    private static let place = "parent=\(Lab.uplink),address=\(Lab.address(10))/24"

    @Test func `a macvlan keeps its connections on a parent of another name and back`()
        async throws
    {
        try await MoveLab.with(prepare: Self.freeUplinks) { moving in
            let lab = moving.lab
            let clean = ["a", "b"].map { lab.inventory(of: $0) }
            let address = Lab.address(10)
            try await moving.serve(["--network", Self.place])
            let refusal = try await moving.move()
            #expect(refusal.status == .exited(2))
            #expect(refusal.errorText.contains("--network \(Lab.uplink)=OTHER"))
            let answers = try await moving.asking(address, 80) {
                let there = try await moving.move(["--network", "\(Lab.uplink)=lan0"])
                #expect(there.status.isSuccess, "\(there.errorText)")
                #expect(try await lab.check("b", ["info", "web"]).contains("on lan0"))
                try await lab.check(
                    "b", ["move", "web", "host-a:", "--network", "lan0=\(Lab.uplink)"])
            }
            #expect(answers > 50)
            #expect(try await lab.check("a", ["info", "web"]).contains("macvlan"))
            // Its hardware address is free as soon as it has ended.
            try await lab.check("a", ["restart", "web"])
            _ = try await moving.asking(address, 80) {}
            try await lab.check("a", ["delete", "web", "--force"])
            for (host, before) in zip(["a", "b"], clean) {
                let left = lab.inventory(of: host).leftBehind(since: before)
                    .filter { !$0.hasPrefix("cgroup") && !$0.hasPrefix("process") }
                #expect(left == [])
            }
        }
    }

    @Test func `a macvlan's connection lives through a move that fails`() async throws {
        try await MoveLab.with(prepare: Self.freeUplinks) { moving in
            try await moving.serve(["--network", Self.place])
            let answers = try await moving.asking(Lab.address(10), 80) {
                try moving.limitTasks("1")
                let failed = try await moving.move(["--network", "\(Lab.uplink)=lan0"])
                #expect(!failed.status.isSuccess)
                try moving.limitTasks("max")
            }
            #expect(answers > 50)
        }
    }

    @Test func `a parent that belongs to a bridge is refused at launch`() async throws {
        try await MoveLab.with { moving in
            let root = try await RootFilesystem.tiny.path()
            let refused = try await moving.lab.godwit(
                "a", ["launch", root, "web", "--network", Self.place])
            #expect(refused.status == .exited(2))
            #expect(refused.errorText.contains("belongs to \(Lab.bridge)"))
        }
    }

    /// Takes the uplinks out of the bridges; host b's gets another name.
    private static func freeUplinks(_ lab: Lab) async throws {
        for (number, host) in [(1, "a"), (2, "b")] {
            let name = host == "a" ? Lab.uplink : "lan0"
            let script = """
                ip link delete \(Lab.bridge)
                ip link set \(Lab.uplink) nomaster down
                ip link set \(Lab.uplink) name \(name)
                ip link set \(name) up
                ip address add \(Lab.address(number))/24 dev \(name)
                ip address add fd77::\(number)/64 dev \(name) nodad
                """
            try await lab.host(host).check(["sh", "-ec", script])
        }
    }
}
