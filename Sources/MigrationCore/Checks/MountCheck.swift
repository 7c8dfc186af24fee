/// What an instance mounts is on the target, or goes there, or may be left out.
struct MountCheck: Check {
    let name = "mounts"

    func findings(in comparison: Comparison) -> [Finding] {
        comparison.definition.mounts.compactMap { finding(about: $0, in: comparison) }
    }

    private func finding(about mount: MountDefinition, in comparison: Comparison) -> Finding? {
        let has = comparison.target.mountablePaths.contains
        switch (comparison.options.treatment(of: mount), mount.volume) {
        case (.skip, _): return comparison.isLive ? skipped(mount) : nil
        case (.refuse, _):
            return Finding(
                name, cause: "\(mount.text) is not to be moved with, as was asked for",
                cure: "ask for something else with --mount, or leave the instance here")
        case (.share, .some(let volume)):
            return Finding(
                name,
                cause: "the volume \(volume) is in a pool that the two hosts do not have in common",
                cure: "leave --mount \(mount.path.prefix(200))=share out: it moves along then")
        case (.remap(let path), nil): return has(path) ? nil : missing(path)
        case (.share, nil), (.move, nil):
            return has(mount.hostPath) ? nil : missing(mount.hostPath)
        case (.move, .some), (.remap, .some): return nil
        }
    }

    private func missing(_ path: String) -> Finding {
        Finding(
            name,
            cause: "the instance mounts the host's \(path.prefix(200)), which the target lacks",
            cure: "make the path on the target with the content that the instance needs, or name "
                + "another there with --mount OLD=NEW"
        )
    }

    private func skipped(_ mount: MountDefinition) -> Finding {
        Finding(
            name,
            cause: "\(mount.text) cannot be left out while the instance runs: CRIU restores every "
                + "mount that it has",
            cure: "move it with --cold, or share or remap it")
    }
}

extension MountDefinition {
    fileprivate var text: String {
        let source = volume.map { "the volume \($0)" } ?? "the host's \(hostPath.prefix(200))"
        return "\(source) at \(path.prefix(200))"
    }
}
