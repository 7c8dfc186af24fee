package import MigrationCore

/// What `--dry-run` shows: the steps in order, then what the checks found.
package func previewText(_ preview: MovePreview, request: MoveRequest, style: Style) -> String {
    var lines: [String] = []
    if let plan = preview.plan {
        lines.append(planHead(plan, request, style))
        lines += plan.steps.enumerated().map { "  \($0.offset + 1). \(stepText($0.element))" }
        lines += mountLines(plan.mounts).map { "  mount " + $0 }
    } else {
        lines.append(
            style.bad("\(request.name) would not move to \(request.remote)") + ": see below")
    }
    if !preview.findings.isEmpty {
        lines.append(findingsText(preview.findings, style: style))
    }
    return lines.joined(separator: "\n")
}

private func planHead(_ plan: Plan, _ request: MoveRequest, _ style: Style) -> String {
    var parts = [plan.options.mode.rawValue, "tcp \(plan.options.tcp.rawValue)"]
    if plan.name != request.name { parts.append("as \(plan.name)") }
    if let bandwidth = plan.options.bandwidth {
        parts.append("at most \(sizeText(bandwidth))/s")
    }
    if plan.options.isPaused { parts.append("held frozen there") }
    if let map = plan.idMap { parts.append("host ids \(map.text) there") }
    if plan.options.keepsDefinition { parts.append("definition kept here") }
    if !plan.startsOnTarget { parts.append("stopped there") }
    let head = "\(request.name) would move to \(request.remote)"
    return "\(style.good(head)): \(parts.joined(separator: ", "))"
}

package func stepText(_ step: Plan.Step) -> String {
    switch step {
    case .sendSnapshots(let volume): "send the snapshots of volume \(volume), oldest first"
    case .sendVolume(let volume, .shared): "leave volume \(volume) where both hosts see it"
    case .sendVolume(let volume, let method):
        "send volume \(volume) by \(method.rawValue) while the instance runs"
    case .holdPackets: "be ready to keep packets for it on both hosts"
    case .freeze: "freeze the instance"
    case .sendDelta(let volume, .shared):
        "see that what was written to volume \(volume) has reached the target"
    case .sendDelta(let volume, let method):
        "send what changed in volume \(volume) by \(method.rawValue)"
    case .sendCheckpoint: "send the process state"
    case .sendMemory(let streams): "send memory in rounds while it runs, over \(streams) streams"
    case .handOver: "compare digests and hand custody over"
    case .fetchMemory: "fetch memory that has not travelled by then, while it runs there"
    case .restore: "let it run on the target"
    case .endOriginal: "end the frozen original"
    }
}

/// What becomes of each mount, by place: `/data: move (it travels with the instance)`.
package func mountLines(_ mounts: [String: MountTreatment]?) -> [String] {
    (mounts ?? [:]).sorted { $0.key < $1.key }.map { path, treatment in
        switch treatment {
        case .move: "\(path): move (the volume travels with the instance)"
        case .share: "\(path): share (the target has the same)"
        case .remap(let other): "\(path): remap (\(other) of the target)"
        case .skip: "\(path): skip (it is not there on the target)"
        case .refuse: "\(path): refuse"
        }
    }
}

/// Findings with cause and cure, refusals first.
package func findingsText(_ findings: [Finding], style: Style) -> String {
    let refusals = findings.filter { $0.weight == .refusal }
    let warnings = findings.filter { $0.weight == .warning }
    let all =
        refusals.map { (style.bad("refused"), $0) }
        + warnings.map { (style.warning("warning"), $0) }
    return all.map { word, finding in
        "\(word) \(finding.check): \(finding.cause)\n    → \(finding.cure)"
    }.joined(separator: "\n")
}

/// What `godwit check` shows.
package func checkText(_ check: HostCheck, style: Style) -> String {
    let facts = check.facts
    let controllers = facts.cgroup.controllers.sorted().joined(separator: " ")
    var lines: [(String, String)] = [
        ("Host", facts.hostname),
        ("Kernel", "\(facts.kernel) \(facts.architecture)"),
        ("CRIU", facts.criu.map { "\($0.version)" } ?? "missing"),
        ("Runtimes", toolsText(facts.runtimes)),
        ("rsync", facts.rsync.map { "\($0.version)" } ?? "missing"),
        ("btrfs", facts.btrfs.map { "\($0.version)" } ?? "missing"),
        ("zfs", facts.zfs.map(zfsText) ?? "missing"),
        ("LVM", facts.lvm.map { "\($0.version)" } ?? "missing"),
        (
            "Cgroups",
            "version \(facts.cgroup.version): \(controllers)"
        ),
        ("Memory", "\(sizeText(facts.memoryAvailable)) available"),
        ("Bridges", facts.bridges.isEmpty ? "none" : facts.bridges.sorted().joined(separator: " ")),
    ]
    lines += facts.pools.map { pool in
        (
            "Pool",
            "\(pool.name): \(pool.driver) on \(pool.filesystem), \(sizeText(pool.available)) free"
        )
    }
    let verdict =
        check.findings.isEmpty
        ? style.good("this host can send and take instances")
        : findingsText(check.findings, style: style)
    return pairs(lines) + "\n" + verdict
}

private func toolsText(_ tools: [ToolFacts]) -> String {
    tools.isEmpty ? "missing" : tools.map { "\($0.name) \($0.version)" }.joined(separator: ", ")
}

private func zfsText(_ zfs: ToolFacts) -> String {
    zfs.version == Version(0) ? "older than 0.8" : "\(zfs.version)"
}

/// An error as standard error shows it: what happened, why, what was found, what to do.
package func errorText(_ error: GodwitError, style: Style) -> String {
    var lines = ["\(style.bad("error")): \(error.message) (\(error.code.rawValue))"]
    if let cause = error.cause { lines.append("  cause: \(cause)") }
    if !error.findings.isEmpty {
        lines += indented(findingsText(error.findings, style: style))
    }
    if let remedy = error.remedy { lines.append("  → \(remedy)") }
    return lines.joined(separator: "\n")
}
