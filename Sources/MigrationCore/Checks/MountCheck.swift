/// Host paths that an instance mounts do not travel: the target must have its own.
struct MountCheck: Check {
    let name = "mounts"

    func findings(in comparison: Comparison) -> [Finding] {
        let paths = Set(comparison.definition.mounts.map(\.hostPath))
        return paths.subtracting(comparison.target.mountablePaths).sorted().map { path in
            Finding(
                name,
                cause: "the instance mounts the host's \(path.prefix(200)), which the target lacks",
                cure: "make the path on the target with the content that the instance needs"
            )
        }
    }
}
