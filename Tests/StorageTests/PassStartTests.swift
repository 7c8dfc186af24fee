import LinuxHost
import Storage
import Testing

/// Whether times of inodes can be compared with the moment at which a pass began.
@Suite struct PassStartTests {
    private func reading(_ wall: Int64, _ boot: Int64) -> ClockReading {
        ClockReading(wall: FileTime(seconds: 1_000).earlier(byMilliseconds: -wall), sinceBoot: boot)
    }

    @Test func `it is a tenth of a second earlier`() {
        #expect(PassStart(reading(0, 0)).moment == FileTime(seconds: 999, nanoseconds: 900_000_000))
    }

    @Test(
        arguments: [
            (0, 0, true), (1_000, 1_000, true), (5_000, 1_000, true),
            // Slowed down by 0.05 % for ten hours.
            (36_000_000 - 18_000, 36_000_000, true),
            // Set back: a little, which the tenth of a second covers; more; further than the start.
            (960, 1_000, true), (900, 1_000, false), (-5_000, 1_000, false),
        ] as [(Int64, Int64, Bool)])
    func `it holds unless the wall clock was set back`(wall: Int64, boot: Int64, holds: Bool) {
        #expect(PassStart(reading(0, 0)).holds(reading(wall, boot)) == holds)
    }

    @Test func `it holds here and now`() { #expect(PassStart().holds()) }
}
