/// An instance's wall clock is its host's: at the move it jumps by the difference.
struct ClockCheck: Check {
    let name = "clock"

    /// Hosts that follow a time server are within milliseconds of each other; file times of whole
    /// seconds, as make and HTTP caches compare them, notice a second.
    static let noticed: UInt64 = 1_000
    /// Beyond what one-time passwords (steps of 30 s, one before and one after) and leases allow
    /// for; one that is started anew reads the clock then, as after any boot.
    static let harmful: UInt64 = 60_000

    func findings(in comparison: Comparison) -> [Finding] {
        let (source, target) = (comparison.source.clock, comparison.target.clock)
        let (difference, overflow) = target.milliseconds
            .subtractingReportingOverflow(source.milliseconds)
        let skew = overflow ? UInt64.max : difference.magnitude
        guard skew > Self.noticed else { return [] }
        let isHarmful = skew > Self.harmful && comparison.isLive
        let seconds = skew / 1_000
        return [
            Finding(
                name,
                isHarmful ? .refusal : .warning,
                cause: "the target's clock is \(seconds) s \(target < source ? "behind" : "ahead")",
                cure: "let both hosts follow the same time (chrony, systemd-timesyncd)"
            )
        ]
    }
}
