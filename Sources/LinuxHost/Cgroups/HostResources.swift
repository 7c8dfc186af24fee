import Foundation
package import MigrationCore

/// What this host has to keep an instance's limits with.
package struct HostResources: Equatable, Sendable {
    package var cgroup: CgroupFacts
    /// The devices that exist here, of those that the limits name.
    package var devices: [String: DeviceNumber]
    /// Where the control group hierarchies are mounted.
    package var mounts: CgroupMounts

    package init(
        cgroup: CgroupFacts, devices: [String: DeviceNumber] = [:],
        mounts: CgroupMounts = CgroupMounts(mounts: "")
    ) {
        self.cgroup = cgroup
        self.devices = devices
        self.mounts = mounts
    }

    package static func current(for limits: ResourceLimits) -> HostResources {
        var cgroup = KernelTexts.cgroup(
            mounts: smallFile("/proc/self/mountinfo") ?? "",
            known: smallFile("/proc/cgroups") ?? ""
        ) { smallFile("\($0)/cgroup.controllers") }
        let mounts = try? CgroupMounts.current()
        if let mounts { cgroup.abilities = Set(abilities(mounts).map(\.rawValue)) }
        let paths = limits.ioLimits.map(\.device) + limits.devices.map(\.path)
        let pairs = paths.prefix(2 * Limit.devicesPerInstance).compactMap { path in
            deviceNumber(of: path).map { (path, $0) }
        }
        return HostResources(
            cgroup: cgroup, devices: Dictionary(pairs) { first, _ in first },
            mounts: mounts ?? CgroupMounts(mounts: ""))
    }

    /// Most files of a controller are not in the root group, so others tell whether they would be
    /// in one below it.
    private static func abilities(_ mounts: CgroupMounts) -> Set<CgroupAbility> {
        var found: Set<CgroupAbility> = []
        if let root = mounts.unified, mounts.version == 2 {
            let signs = ["io.cost.qos", "io.weight"]
            if signs.contains(where: { SmallFile.exists("\(root)/\($0)") }) {
                found.insert(.costWeight)
            }
            if hasBFQ { found.insert(.bfqWeight) }
            if SmallFile.exists("/proc/swaps") { found.insert(.swap) }
        } else {
            let (io, memory) = (mounts.controllers["blkio"], mounts.controllers["memory"])
            if let io, SmallFile.exists("\(io)/blkio.bfq.io_service_bytes") {
                found.insert(.bfqWeight)
            }
            if let memory, SmallFile.exists("\(memory)/memory.memsw.limit_in_bytes") {
                found.insert(.swap)
            }
            if mounts.controllers["name=systemd"] != nil { found.insert(.systemd) }
        }
        return found
    }

    /// A scheduler that is loaded is offered to every disk that takes requests.
    private static var hasBFQ: Bool {
        names(in: "/sys/block").contains { disk in
            (smallWord("/sys/block/\(disk)/queue/scheduler") ?? "").contains("bfq")
        }
    }
}

/// What kind of node the path is, or leads to; nil if it is no device.
private func deviceNumber(of path: String) -> DeviceNumber? {
    guard let found = status(path) else { return nil }
    let kind = found.st_mode & S_IFMT
    guard kind == S_IFBLK || kind == S_IFCHR else { return nil }
    let number = UInt64(found.st_rdev)
    // As glibc's makedev(3) puts them together.
    let major = (number >> 8 & 0xfff) | (number >> 32 & 0xffff_f000)
    let minor = (number & 0xff) | (number >> 12 & 0xffff_ff00)
    return DeviceNumber(
        isBlock: kind == S_IFBLK, major: UInt32(truncatingIfNeeded: major),
        minor: UInt32(truncatingIfNeeded: minor))
}
