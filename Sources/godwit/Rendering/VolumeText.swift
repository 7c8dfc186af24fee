package import MigrationCore

/// What `godwit volume list` shows.
package func volumesText(_ volumes: [VolumeView]) -> String {
    let rows = volumes.map { volume in
        [
            volume.volume.name.text, volume.volume.pool, volume.used.map(sizeText) ?? "",
            volume.uses.map(\.instance.text).joined(separator: " "),
        ]
    }
    return table(
        ["NAME", "POOL", "USED", "INSTANCES"], rows,
        empty: "there is no volume; make one with `godwit volume create`")
}

/// What `godwit volume info` shows.
package func volumeText(_ volume: VolumeView) -> String {
    var lines = [
        ("Name", volume.volume.name.text),
        ("Pool", volume.volume.pool),
        ("Created", "\(momentText(volume.created)) UTC"),
    ]
    if let used = volume.used { lines.append(("Used", sizeText(used))) }
    if let map = volume.idMap { lines.append(("Ids", "from \(map.hostStart) on the host")) }
    lines += volume.uses.map { use in
        ("Attached", "\(use.instance) at \(use.path)\(use.isReadOnly ? ", read-only" : "")")
    }
    if volume.uses.isEmpty { lines.append(("Attached", "to no instance")) }
    return pairs(lines)
}
