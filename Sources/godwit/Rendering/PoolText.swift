package import MigrationCore

/// What `godwit pool list` shows.
package func poolsText(_ pools: [PoolView]) -> String {
    let rows = pools.map { pool in
        [
            pool.definition.name, pool.definition.kind.rawValue, pool.definition.source ?? "",
            pool.facts.map { sizeText($0.available) } ?? "", "\(pool.instances.count)",
            pool.fault == nil ? "usable" : "unusable",
        ]
    }
    return table(
        ["NAME", "DRIVER", "SOURCE", "FREE", "INSTANCES", "STATE"], rows,
        empty: "there is no pool; make one with `godwit pool create`")
}

/// What `godwit pool info` shows.
package func poolText(_ pool: PoolView) -> String {
    let definition = pool.definition
    var lines = [
        ("Name", definition.name),
        ("Driver", definition.kind.rawValue),
        ("Source", definition.source ?? "below the daemon's state directory"),
    ]
    if let size = definition.size { lines.append(("Size", sizeText(size))) }
    if let facts = pool.facts {
        lines.append(("Filesystem", facts.filesystem))
        lines.append(("Free", sizeText(facts.available)))
    }
    let instances = pool.instances.joined(separator: " ")
    lines.append(("Instances", instances.isEmpty ? "none" : instances))
    if !pool.volumes.isEmpty {
        lines.append(("Volumes", pool.volumes.joined(separator: " ")))
    }
    if let fault = pool.fault { lines.append(("Unusable", fault)) }
    let kept = pool.kept ?? []
    lines.append(("Kept copies", kept.isEmpty ? "none" : "\(kept.count)"))
    return kept.isEmpty ? pairs(lines) : pairs(lines) + "\n\n" + keptText(kept)
}

/// What `godwit pool prune` says it has removed.
package func prunedText(_ kept: [KeptCopy]) -> String {
    guard !kept.isEmpty else { return "nothing was kept there" }
    let room = sizeText(kept.reduce(ByteCount.zero) { $0 + $1.used })
    return keptText(kept) + "\n\nremoved: \(room)"
}

private func keptText(_ kept: [KeptCopy]) -> String {
    table(
        ["INSTANCE", "KEPT", "SIZE", "SINCE (UTC)", "UNTIL (UTC)"],
        kept.map { copy in
            switch copy.kind {
            case .volume: [copy.name.text, "copy", sizeText(copy.used)] + times(copy)
            case .partial: [copy.name.text, "partial", sizeText(copy.used)] + times(copy)
            case .base: [copy.name.text, "base", ""] + times(copy)
            }
        }, empty: "")
}

private func times(_ copy: KeptCopy) -> [String] {
    [momentText(copy.kept), momentText(copy.expires)]
}
