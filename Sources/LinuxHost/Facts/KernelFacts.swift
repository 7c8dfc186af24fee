import Foundation
import MigrationCore

/// What /proc and /sys say of this host at one moment. Blocks while it reads.
struct KernelFacts: Sendable {
    let hostname: String
    let version: Version
    let features: Set<String>
    let processorFeatures: Set<String>
    let cgroup: CgroupFacts
    let filesystems: Set<String>
    let memoryAvailable: ByteCount
    let bridges: Set<String>
    /// The host's addresses with prefix length.
    let networks: Set<String>
    let forwardsVersion4 = smallWord("/proc/sys/net/ipv4/ip_forward") == "1"
    let forwardsVersion6 = smallWord("/proc/sys/net/ipv6/conf/all/forwarding") == "1"
    /// Also of the instance's parents.
    let bridgeNetworks: [String: Set<String>]
    let parents: [String: ParentFacts]
    /// The host's own, without `lo`.
    let addresses: Set<String>
    let mountablePaths: Set<String>
    let devices: [String: DeviceNumber]
    let processors: ProcessorSet?
    let pipeLimit: ByteCount

    /// - Parameter definition: the instance whose mounts and devices are looked for.
    init(for definition: InstanceDefinition?) {
        hostname = smallWord("/proc/sys/kernel/hostname") ?? "unknown"
        version = Version(parsing: smallWord("/proc/sys/kernel/osrelease") ?? "") ?? Version(0)
        features = Set(KernelFeature.allCases.filter(isPresent).map(\.rawValue))
        processorFeatures = KernelTexts.processorFeatures(
            cpuinfo: smallFile("/proc/cpuinfo") ?? "")
        let resources = HostResources.current(for: definition?.limits ?? ResourceLimits())
        cgroup = resources.cgroup
        devices = resources.devices
        processors = smallWord("/sys/devices/system/cpu/online").flatMap {
            try? ProcessorSet(parsing: $0)
        }
        filesystems = KernelTexts.filesystems(smallFile("/proc/filesystems") ?? "")
        memoryAvailable = KernelTexts.memoryAvailable(meminfo: smallFile("/proc/meminfo") ?? "")
        let found = Set(
            names(in: "/sys/class/net").filter { exists("/sys/class/net/\($0)/bridge") })
        bridges = found
        let addresses = hostAddresses()
        self.addresses = Set(addresses.map(\.text))
        networks = Set(addresses.map { "\($0.text)/\($0.prefixLength)" })
        let parents = Self.parents(of: definition)
        self.parents = parents
        bridgeNetworks = Dictionary(grouping: addresses, by: \.interface)
            .filter { found.contains($0.key) || parents[$0.key] != nil }
            .mapValues { Set($0.map { "\($0.text)/\($0.prefixLength)" }) }
        let mounts = (definition?.mounts ?? []).prefix(Limit.mountsPerInstance)
        mountablePaths = Set(mounts.map(\.hostPath).filter(exists))
        pipeLimit = ByteCount(
            bytes: smallWord("/proc/sys/fs/pipe-max-size").flatMap { UInt64($0) } ?? 0)
    }
}

extension KernelFacts {
    /// Of what an instance's macvlans hang on, if that is here.
    private static func parents(of definition: InstanceDefinition?) -> [String: ParentFacts] {
        let macvlans = (definition?.interfaces ?? []).prefix(Limit.interfacesPerInstance)
            // What is no name may lead elsewhere.
            .filter { $0.isMacvlan && $0.faults.isEmpty }
        let found = macvlans.map(\.bridge).compactMap { name -> (String, ParentFacts)? in
            let place = "/sys/class/net/\(name)"
            guard let flags = smallWord("\(place)/flags"), flags.hasPrefix("0x"),
                let bits = UInt32(flags.dropFirst(2), radix: 16),
                let mtu = smallWord("\(place)/mtu").flatMap({ UInt32($0) })
            else { return nil }
            let master = try? FileManager.default.destinationOfSymbolicLink(
                atPath: "\(place)/master")
            // IFF_UP, IFF_LOOPBACK, ARPHRD_ETHER.
            let facts = ParentFacts(
                isUp: bits & 1 != 0,
                isEthernet: smallWord("\(place)/type") == "1" && bits & 8 == 0,
                master: master.map { String($0.split(separator: "/").last ?? "") }, mtu: mtu)
            return (name, facts)
        }
        return Dictionary(found) { first, _ in first }
    }
}

private func exists(_ path: String) -> Bool { allows(F_OK, path) }

private func isPresent(_ feature: KernelFeature) -> Bool { exists(feature.evidence) }

extension KernelFeature {
    /// The file that is there exactly if the kernel has the feature.
    fileprivate var evidence: String {
        switch self {
        // kernel/pid_namespace.c registers it under CONFIG_CHECKPOINT_RESTORE alone.
        case .checkpointRestore: "/proc/sys/kernel/ns_last_pid"
        case .pidNamespace: "/proc/self/ns/pid"
        case .mountNamespace: "/proc/self/ns/mnt"
        case .networkNamespace: "/proc/self/ns/net"
        case .ipcNamespace: "/proc/self/ns/ipc"
        case .hostnameNamespace: "/proc/self/ns/uts"
        case .userNamespace: "/proc/self/ns/user"
        case .cgroupNamespace: "/proc/self/ns/cgroup"
        case .timeNamespace: "/proc/self/ns/time"
        case .seccomp: "/proc/sys/kernel/seccomp"
        case .userfaultfd: "/proc/sys/vm/unprivileged_userfaultfd"
        case .ipv6: "/proc/net/if_inet6"
        }
    }
}
