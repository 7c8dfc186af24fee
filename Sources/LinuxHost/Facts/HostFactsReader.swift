import CLinux
import Foundation
package import MigrationCore

/// Reads what this host is and has. Tools are asked once and again when their file changes; all
/// else is read from /proc and /sys each time, in a few milliseconds.
package actor HostFactsReader: HostFactsReading {
    private let criu: String
    private let runtimes: [String]
    private let rsync: String
    private let idRange: IDMap?
    private var known: [String: (identity: FileIdentity, facts: ToolFacts)] = [:]

    /// - Parameters:
    ///   - criu, runtimes, rsync: names that are searched in PATH, or paths. The first runtime that
    ///     can checkpoint is the one that instances are run with.
    ///   - idRange: what this host may give to instances with a user namespace.
    package init(
        criu: String = "criu", runtimes: [String] = ["runc"], rsync: String = "rsync",
        idRange: IDMap? = nil
    ) {
        self.criu = criu
        self.runtimes = runtimes
        self.rsync = rsync
        self.idRange = idRange
    }

    package func facts(
        pools: [PoolFacts], instanceNames: Set<String>, instanceAddresses: Set<String>,
        for definition: InstanceDefinition?
    ) async throws -> HostFacts {
        async let criu = tool(criu, asked: criuFacts)
        async let rsync = tool(rsync, asked: rsyncFacts)
        async let btrfs = tool("btrfs", asked: btrfsFacts)
        async let zfs = tool("zfs", asked: zfsFacts)
        async let lvm = tool("lvm", asked: lvmFacts)
        async let runtimes = runtimeTools()
        let kernel = try await blocking { KernelFacts(for: definition) }
        return await HostFacts(
            hostname: kernel.hostname, clock: .now, architecture: machineArchitecture,
            kernel: kernel.version, kernelFeatures: kernel.features,
            processorFeatures: kernel.processorFeatures, criu: criu, runtimes: runtimes,
            rsync: rsync, cgroup: kernel.cgroup, filesystems: kernel.filesystems, pools: pools,
            memoryAvailable: kernel.memoryAvailable, bridges: kernel.bridges,
            bridgeNetworks: kernel.bridgeNetworks, instanceNames: instanceNames,
            addressesInUse: instanceAddresses.union(kernel.addresses), idRange: idRange,
            mountablePaths: kernel.mountablePaths, devices: kernel.devices,
            processors: kernel.processors, pipeLimit: kernel.pipeLimit,
            publishing: PublishingFacts(
                tools: Set([Nft.tool, Conntrack.tool].filter { executable($0) != nil }),
                forwardsVersion4: kernel.forwardsVersion4,
                forwardsVersion6: kernel.forwardsVersion6,
                addresses: kernel.networks),
            parents: kernel.parents, btrfs: btrfs, zfs: zfs, lvm: lvm
        )
    }

    package nonisolated func answeredAddresses(
        of definition: InstanceDefinition
    ) async -> Set<String> {
        await AddressProbe.answered(for: definition.interfaces)
    }

    private func runtimeTools() async -> [ToolFacts] {
        var found: [ToolFacts] = []
        for runtime in runtimes {
            if let facts = await tool(runtime, asked: runtimeFacts) { found.append(facts) }
        }
        return found
    }

    /// Nil if there is no such tool or it does not answer.
    private func tool(
        _ name: String, asked: @Sendable (String) async -> ToolFacts?
    ) async -> ToolFacts? {
        guard let path = executable(name), let identity = FileIdentity(path) else { return nil }
        if let entry = known[path], entry.identity == identity { return entry.facts }
        let facts = await asked(path)
        if let facts { known[path] = (identity, facts) }
        return facts
    }
}

extension Timestamp {
    fileprivate static var now: Timestamp {
        Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1_000))
    }
}

/// As `uname -m` says it, for a program that runs on the kernel it was built for.
private let machineArchitecture: String = {
    #if arch(x86_64)
        "x86_64"
    #elseif arch(arm64)
        "aarch64"
    #else
        "unknown"
    #endif
}()

/// Tells a file from the one that was in its place before.
private struct FileIdentity: Equatable {
    let inode: UInt64
    let size: Int64
    let seconds: Int
    let nanoseconds: Int

    init?(_ path: String) {
        guard let found = status(path) else { return nil }
        inode = UInt64(found.st_ino)
        size = Int64(found.st_size)
        seconds = found.st_mtim.tv_sec
        nanoseconds = found.st_mtim.tv_nsec
    }
}

/// Where PATH leads for a name; a path stands for itself.
private func executable(_ name: String) -> String? {
    if name.contains("/") { return allows(X_OK, name) ? name : nil }
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin"
    return path.split(separator: ":").map { "\($0)/\(name)" }.first { allows(X_OK, $0) }
}
