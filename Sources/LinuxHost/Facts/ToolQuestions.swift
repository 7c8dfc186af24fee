import Foundation
import MigrationCore

/// CRIU's features that the checks compare or that `godwit check` shows. One answer takes 50 ms.
private let criuFeatures = [
    "mem_dirty_track", "uffd-noncoop", "pagemap_scan", "timens", "userns", "tcp_half_closed",
    "clone3_set_tid", "get_rseq_conf", "cgroupns", "ipv6_freebind", "memfd_hugetlb",
    "sockopt_buf_lock",
]

func criuFacts(_ criu: String) async -> ToolFacts? {
    guard let text = await answer(to: Versions.criuVersion(criu))?.text,
        let version = ToolTexts.criuVersion(text)
    else { return nil }
    var features: Set<String> = []
    if await isYes(Versions.criuCheck(criu)) { features.insert(ToolFacts.checkPassed) }
    for feature in criuFeatures where await isYes(Versions.criuCheck(criu, feature: feature)) {
        features.insert(feature)
    }
    return ToolFacts(name: "criu", version: version, features: features)
}

func runtimeFacts(_ runtime: String) async -> ToolFacts? {
    guard let text = await answer(to: Versions.runtimeVersion(runtime))?.text,
        let version = ToolTexts.runtimeVersion(text)
    else { return nil }
    let document = await answer(to: Versions.runtimeFeatures(runtime))?.text ?? ""
    let name = runtime.split(separator: "/").last.map(String.init) ?? runtime
    return ToolFacts(
        name: name, version: version,
        features: ToolTexts.canCheckpoint(features: document) ? [ToolFacts.checkpoint] : []
    )
}

func rsyncFacts(_ rsync: String) async -> ToolFacts? {
    guard let text = await answer(to: Versions.rsyncVersion(rsync))?.text,
        let read = ToolTexts.rsync(text)
    else { return nil }
    return ToolFacts(name: "rsync", version: read.version, features: read.features)
}

func btrfsFacts(_ btrfs: String) async -> ToolFacts? {
    guard let text = await answer(to: Versions.btrfsVersion(btrfs))?.text,
        let version = ToolTexts.btrfsVersion(text)
    else { return nil }
    return ToolFacts(name: "btrfs", version: version)
}

/// zfs-fuse, and OpenZFS before 0.8, do not know the question.
func zfsFacts(_ zfs: String) async -> ToolFacts? {
    guard let result = await answer(to: Zfs(tool: zfs).version) else { return nil }
    return ToolFacts(name: "zfs", version: ToolTexts.zfsVersion(result.text) ?? Version(0))
}

func lvmFacts(_ lvm: String) async -> ToolFacts? {
    guard let text = await answer(to: Versions.lvmVersion(lvm))?.text,
        let version = ToolTexts.lvmVersion(text)
    else { return nil }
    let readsMetadata = await isYes(Versions.thinDumpVersion)
    return ToolFacts(
        name: "lvm", version: version, features: readsMetadata ? [ToolFacts.thinDump] : [])
}

private func isYes(_ command: Command) async -> Bool {
    await answer(to: command)?.status.isSuccess ?? false
}

/// Nil if the tool cannot be started or says nothing for ten seconds, after which it is killed.
package func answer(to command: Command, within limit: Duration = .seconds(10)) async -> ToolResult?
{
    await withTaskGroup(of: ToolResult?.self) { group in
        group.addTask { try? await command.run() }
        group.addTask {
            try? await Task.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        return await group.next() ?? nil
    }
}
