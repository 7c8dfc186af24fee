package import MigrationCore

/// What `godwit image list` shows.
package func imagesText(_ images: [ImageView]) -> String {
    let rows = images.map { view in
        [
            view.aliases.map(\.text).joined(separator: " "), view.image.digest.short,
            view.image.architecture, "\(view.image.layers.count)", sizeText(view.image.size),
            momentText(view.imported),
        ]
    }
    return table(
        ["NAME", "DIGEST", "ARCHITECTURE", "LAYERS", "SIZE", "IMPORTED"], rows,
        empty: "no images; take one in with `godwit image import PATH NAME`")
}

/// What `godwit image info` shows.
package func imageText(_ view: ImageView) -> String {
    let image = view.image
    var lines = [
        ("Name", view.aliases.isEmpty ? "none" : view.aliases.map(\.text).joined(separator: " ")),
        ("Digest", image.digest.description),
        ("Made of", originText(image.origin)),
        ("Architecture", image.architecture),
        ("Size", sizeText(image.size)),
    ]
    if let created = image.created { lines.append(("Created", "\(momentText(created)) UTC")) }
    lines.append(("Imported", "\(momentText(view.imported)) UTC"))
    lines += defaultLines(image.defaults)
    lines += image.layers.map { layer in
        ("Layer", "\(layer.blob.digest), \(sizeText(layer.blob.size))")
    }
    let instances = view.instances.map(\.text).joined(separator: " ")
    lines.append(("Instances", instances.isEmpty ? "none" : instances))
    return pairs(lines)
}

private func originText(_ origin: StoredImage.Origin) -> String {
    switch origin {
    case .directory: "a directory"
    case .archive: "a tar archive"
    case .layout: "an OCI image layout"
    }
}

private func defaultLines(_ defaults: ImageDefaults) -> [(String, String)] {
    var lines: [(String, String)] = []
    if !defaults.command.isEmpty {
        lines.append(("Command", defaults.command.map(quoted).joined(separator: " ")))
    }
    lines += defaults.environment.map { ("Environment", $0) }
    if let user = defaults.user { lines.append(("User", user)) }
    if let directory = defaults.workingDirectory {
        lines.append(("Working directory", directory))
    }
    return lines
}
