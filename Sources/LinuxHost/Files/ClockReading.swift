import CLinux
import Foundation

/// The wall clock, and one that nobody sets, at one moment.
package struct ClockReading: Equatable, Sendable {
    package let wall: FileTime
    /// Milliseconds, with those of sleep (clock_gettime(2), `CLOCK_BOOTTIME`).
    package let sinceBoot: Int64

    package init(wall: FileTime, sinceBoot: Int64) {
        self.wall = wall
        self.sinceBoot = sinceBoot
    }

    package static func now() -> ClockReading {
        var boot = timespec()
        _ = unsafe clock_gettime(CLOCK_BOOTTIME, &boot)
        return ClockReading(
            wall: .now(),
            sinceBoot: Int64(boot.tv_sec) * 1_000 + Int64(boot.tv_nsec) / 1_000_000)
    }
}
