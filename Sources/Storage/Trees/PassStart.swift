package import LinuxHost

/// Before a pass began, by the clock from which inodes get their change times.
package struct PassStart: Equatable, Sendable {
    /// A tenth of a second earlier: the kernel's clock of inodes is only read at ticks, of at most
    /// 10 ms.
    package let moment: FileTime
    private let clocks: ClockReading

    package init(_ clocks: ClockReading = .now()) {
        self.clocks = clocks
        moment = clocks.wall.earlier(byMilliseconds: 100)
    }

    /// Whether all that has changed since has a later time. Once the wall clock was set back,
    /// nothing is known.
    ///
    /// A clock that is only slowed down, by 0.05 % at most (adjtimex(2)), never goes back.
    package func holds(_ now: ClockReading = .now()) -> Bool {
        let elapsed = now.sinceBoot - clocks.sinceBoot
        let shown = now.wall.milliseconds - clocks.wall.milliseconds
        return shown >= elapsed - 50 - elapsed / 1_000
    }

    /// From which moment on changes are looked for.
    var since: FileTime { holds() ? moment : TreePasses.beforeAll }
}
