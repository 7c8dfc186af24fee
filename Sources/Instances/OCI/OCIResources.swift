import LinuxHost
import MigrationCore

// Limits as this host can keep them. runc writes them to the files of the version that it finds;
// `docs/cgroups.md` has the table. What the host cannot keep is left out: where that would let the
// instance have too much, the preflight has refused.
extension OCISpecification.Resources {
    init(_ limits: ResourceLimits, on host: HostResources) {
        let cgroup = host.cgroup
        devices =
            [.init(allow: false, access: "rwm")]
            + limits.devices.compactMap { device in
                host.devices[device.path].map { .init(device, $0) }
            }
        memory = cgroup.controllers.contains("memory") ? .init(limits, cgroup) : nil
        cpu = .init(limits, cgroup)
        pids = limits.processes.map { .init(limit: $0) }
        let hasIO = cgroup.controllers.contains(ResourceLimits.ioController(in: cgroup.version))
        blockIO = hasIO ? .init(limits, host) : nil
        guard cgroup.version == 2 else { return }
        var files: [String: String] = [:]
        if let weight = limits.cpuWeight, cgroup.controllers.contains("cpu") {
            files["cpu.weight"] = "\(weight)"
        }
        if let weight = limits.ioWeight, hasIO {
            // Whichever of the two the disk follows.
            if cgroup.hasAny([.costWeight]) { files["io.weight"] = "\(weight)" }
            if cgroup.hasAny([.bfqWeight]) { files["io.bfq.weight"] = "\(bfqWeight(weight))" }
        }
        unified = files.isEmpty ? nil : files
    }
}

extension OCISpecification.Memory {
    fileprivate init?(_ limits: ResourceLimits, _ cgroup: CgroupFacts) {
        limit = limits.memory?.bytes
        reservation = limits.memoryReservation?.bytes
        swap = cgroup.hasAny([.swap]) ? limits.memorySwap?.bytes : nil
        if limit == nil, reservation == nil, swap == nil { return nil }
    }
}

extension OCISpecification.Processor {
    fileprivate init?(_ limits: ResourceLimits, _ cgroup: CgroupFacts) {
        quota = limits.cpuMillis.map { UInt64($0) * 100 }
        period = quota.map { _ in 100_000 }
        if cgroup.version == 1, cgroup.controllers.contains("cpu") {
            shares = limits.cpuWeight.map(processorShares)
        }
        cpus = limits.cpuset?.description
        if quota == nil, shares == nil, cpus == nil { return nil }
    }
}

extension OCISpecification.BlockIO {
    fileprivate init?(_ limits: ResourceLimits, _ host: HostResources) {
        if host.cgroup.version == 1, host.cgroup.hasAny([.bfqWeight]) {
            // The specification begins at 10.
            weight = limits.ioWeight.map { max(10, bfqWeight($0)) }
        }
        func rates(_ rate: KeyPath<IOLimit, UInt64?>) -> [OCISpecification.Rate]? {
            let found = limits.ioLimits.compactMap { limit -> OCISpecification.Rate? in
                guard let rate = limit[keyPath: rate], let device = host.devices[limit.device],
                    device.isBlock
                else { return nil }
                return .init(major: device.major, minor: device.minor, rate: rate)
            }
            return found.isEmpty ? nil : found
        }
        throttleReadBpsDevice = rates(\.readBytes)
        throttleWriteBpsDevice = rates(\.writeBytes)
        throttleReadIOPSDevice = rates(\.readOperations)
        throttleWriteIOPSDevice = rates(\.writeOperations)
        let all = [
            throttleReadBpsDevice, throttleWriteBpsDevice, throttleReadIOPSDevice,
            throttleWriteIOPSDevice,
        ]
        if weight == nil, all.allSatisfy({ $0 == nil }) { return nil }
    }
}

extension OCISpecification.Device {
    fileprivate init(_ device: DeviceAccess, _ number: DeviceNumber) {
        allow = true
        type = number.isBlock ? "b" : "c"
        major = number.major
        minor = number.minor
        access = device.access
    }
}

extension OCISpecification.Node {
    init(_ device: DeviceAccess, _ number: DeviceNumber) {
        path = device.path
        type = number.isBlock ? "b" : "c"
        major = number.major
        minor = number.minor
    }
}

/// As the kernel turns `cpu.weight` into the same scheduler's units: 100 is 1024
/// (`cpu_weight_write_u64` of kernel/sched/core.c).
private func processorShares(_ weight: UInt32) -> UInt64 {
    max(2, (UInt64(weight) * 1024 + 50) / 100)
}

/// BFQ ends at 1000; 100 is the default of both, and the halves on its sides are stretched apart.
private func bfqWeight(_ weight: UInt32) -> UInt32 {
    weight <= 100 ? weight : 100 + (weight - 100) * 900 / 9_900
}
