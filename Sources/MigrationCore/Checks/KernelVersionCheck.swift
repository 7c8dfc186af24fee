/// A restored process goes on using what its old kernel offered, and the restore itself needs a
/// kernel of a certain age.
struct KernelVersionCheck: HostCheckable {
    let name = "kernel-version"

    /// Restoring sets process ids with clone3 (5.5) and clocks with a time namespace (5.6).
    static let oldest = Version(5, 6)

    func findings(in comparison: Comparison) -> [Finding] {
        guard comparison.isLive else { return [] }
        return findings(aboutBoth: comparison) + older(comparison)
    }

    func findings(about host: HostFacts, _ place: Place) -> [Finding] {
        guard host.kernel < Self.oldest else { return [] }
        return [
            Finding(
                name,
                cause: "\(place.text) runs kernel \(host.kernel); a live move needs \(Self.oldest)",
                cure: "boot a newer kernel there, or move with --cold"
            )
        ]
    }

    private func older(_ comparison: Comparison) -> [Finding] {
        let (source, target) = (comparison.source.kernel, comparison.target.kernel)
        guard target.release < source.release else { return [] }
        return [
            Finding(
                name,
                .warning,
                cause: "the target's kernel \(target) is older than the source's \(source)",
                cure:
                    "move towards newer kernels, or make sure that the instance uses nothing newer"
            )
        ]
    }
}

extension Version {
    /// Without what differs between builds and corrections of one release.
    var release: Version {
        Version(numbers.first ?? 0, numbers.dropFirst().first ?? 0)
    }
}
