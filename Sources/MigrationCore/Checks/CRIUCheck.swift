/// CRIU dumps and restores processes; both hosts need one that knows their kernel, and the target
/// must read what the source wrote.
struct CRIUCheck: HostCheckable {
    let name = "criu"

    /// Programs linked with glibc 2.35 or newer register restartable sequences, known since 3.17.
    static let oldest = Version(3, 17)
    /// Since 6.16 a kernel refuses SO_PASSCRED and SO_PASSSEC on TCP and UDP sockets; older CRIU
    /// asks for them and fails on the first such socket (checkpoint-restore/criu issue 2705).
    static let strictKernel = Version(6, 16)
    static let oldestOnStrictKernel = Version(4, 2)

    func findings(in comparison: Comparison) -> [Finding] {
        guard comparison.isLive else { return [] }
        return findings(aboutBoth: comparison) + older(comparison)
    }

    func findings(about host: HostFacts, _ place: Place) -> [Finding] {
        guard let criu = host.criu else { return [absent(place)] }
        let isStrict = host.kernel >= Self.strictKernel
        let needed = isStrict ? Self.oldestOnStrictKernel : Self.oldest
        guard criu.version < needed else { return [] }
        return [
            Finding(
                name,
                cause: "CRIU \(criu.version) of \(place.text) is too old for its kernel "
                    + "\(host.kernel), which needs \(needed)",
                cure: "run `make deps` there, which installs a CRIU that fits"
            )
        ]
    }

    private func absent(_ place: Place) -> Finding {
        Finding(
            name,
            cause: "CRIU is not installed on \(place.text)",
            cure: "run `make deps` there, or move with --cold"
        )
    }

    private func older(_ comparison: Comparison) -> [Finding] {
        guard let source = comparison.source.criu?.version,
            let target = comparison.target.criu?.version, target < source
        else { return [] }
        return [
            Finding(
                name,
                cause: "CRIU \(target) of the target cannot be trusted to read what the source's "
                    + "\(source) writes",
                cure: "install CRIU \(source) or newer on the target"
            )
        ]
    }
}
