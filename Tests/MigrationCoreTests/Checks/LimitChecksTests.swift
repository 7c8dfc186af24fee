import MigrationCore
import Testing

/// What the target must have so that an instance's limits hold there.
@Suite struct LimitChecksTests {
    @Test func `a weight without its controller is a warning, a limit a refusal`() throws {
        let weights = ResourceLimits(
            memoryReservation: .mebibytes(1), cpuWeight: 200, ioWeight: 200)
        let finding = try only {
            $0.definition.limits = weights
            $0.target.cgroup.controllers = ["freezer", "devices"]
        }
        #expect(finding?.mark == "cgroup warning")
        #expect(finding?.cause == "the target has no cgroup controller for blkio, cpu, memory")
        let cpuset = try ProcessorSet(parsing: "0")
        let refusal = try only {
            $0.definition.limits = ResourceLimits(
                cpuset: cpuset, ioLimits: [IOLimit(device: "/dev/vda", readBytes: 1)])
            $0.target.cgroup.controllers = ["freezer", "devices"]
        }
        #expect(refusal?.mark == "cgroup refusal")
        #expect(refusal?.cause == "the target has no cgroup controller for blkio, cpuset")
    }

    @Test func `version 2 calls the disks' controller io and needs none for devices`() throws {
        let finding = try only(.cold) {
            $0.definition.limits = ResourceLimits(ioWeight: 50)
            $0.target.cgroup.version = 2
            $0.target.cgroup.controllers = []
        }
        #expect(finding?.cause == "the target has no cgroup controller for io")
        #expect(
            try only(.cold) { $0.target.cgroup.controllers.remove("devices") }?.mark
                == "cgroup refusal")
    }

    @Test func `weights and swap that the kernel does not keep are warnings`() throws {
        let findings = try found {
            $0.definition.limits = ResourceLimits(
                memory: .mebibytes(1), memorySwap: .mebibytes(2), ioWeight: 50)
            $0.target.cgroup.abilities = []
        }
        #expect(findings.map(\.mark) == ["cgroup warning", "cgroup warning"])
        #expect(
            try found {
                $0.definition.limits = ResourceLimits(ioWeight: 50)
                $0.target.cgroup.abilities = nil
            } == [])
    }

    @Test func `hierarchies that an instance divides must be on the target too`() throws {
        let finding = try only {
            $0.definition.limits.delegatesCgroups = true
            $0.source.cgroup.controllers.insert("net_cls")
            $0.target.cgroup.controllers.remove("net_cls")
        }
        #expect(finding?.mark == "cgroup refusal")
        #expect(finding?.cause.hasSuffix("the target has no hierarchy for net_cls") == true)
        let systemd = try only {
            $0.definition.limits.delegatesCgroups = true
            $0.source.cgroup.abilities = ["systemd"]
            $0.target.cgroup.abilities = []
        }
        #expect(systemd?.cause.hasSuffix("the target has no hierarchy for systemd") == true)
    }

    @Test func `a device must be the same on both hosts`() throws {
        let fuse = DeviceNumber(isBlock: false, major: 10, minor: 229)
        let change: (inout Comparison, DeviceNumber?) -> Void = { comparison, there in
            comparison.definition.limits.devices = [DeviceAccess(path: "/dev/fuse")]
            comparison.source.devices?["/dev/fuse"] = fuse
            comparison.target.devices?["/dev/fuse"] = there
        }
        #expect(try found { change(&$0, fuse) } == [])
        let missing = try only(.cold) { change(&$0, nil) }
        #expect(missing?.mark == "devices refusal")
        #expect(missing?.cause == "the target has no device /dev/fuse")
        let other = try only {
            change(&$0, DeviceNumber(isBlock: false, major: 10, minor: 230))
        }
        #expect(
            other?.cause
                == "/dev/fuse is character 10:229 on the source and character 10:230 on the target")
    }

    @Test func `a limited disk that the target lacks is a warning`() throws {
        let finding = try only {
            $0.definition.limits.ioLimits = [
                IOLimit(device: "/dev/sda", readBytes: 1),
                IOLimit(device: "/dev/vda", readBytes: 1),
            ]
        }
        #expect(finding?.mark == "devices warning")
        #expect(finding?.cause == "the target has no block device /dev/sda, whose io is limited")
    }

    @Test func `processors that the target lacks are a refusal`() throws {
        let cpuset = try ProcessorSet(parsing: "2-4")
        let finding = try only(.cold) { $0.definition.limits.cpuset = cpuset }
        #expect(finding?.mark == "cpuset refusal")
        #expect(
            finding?.cause == "the instance is bound to processors 2-4, the target has 0-3")
        #expect(
            try found {
                $0.definition.limits.cpuset = cpuset
                $0.target.processors = nil
            } == [])
    }
}
