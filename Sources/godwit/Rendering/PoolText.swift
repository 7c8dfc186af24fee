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
    return pairs(lines)
}
