/// CRIU takes memory out of a process through pipes of up to 1 MiB each.
struct PipeCheck: HostCheckable {
    let name = "pipes"

    /// The kernel's own default for /proc/sys/fs/pipe-max-size.
    static let usual = ByteCount.mebibytes(1)

    func findings(in comparison: Comparison) -> [Finding] {
        comparison.isLive ? findings(aboutBoth: comparison) : []
    }

    func findings(about host: HostFacts, _ place: Place) -> [Finding] {
        guard host.pipeLimit < Self.usual else { return [] }
        return [
            Finding(
                name,
                .warning,
                cause: "a pipe of \(place.text) may hold only \(sized(host.pipeLimit)), "
                    + "which makes checkpoints slow and large ones fail",
                cure: "set it there: sysctl fs.pipe-max-size=1048576"
            )
        ]
    }
}
