import Foundation
import TestSupport
import Testing

/// What docs/tutorial.md shows is what happens. `lab tutorial --record` writes it anew.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(4)))
struct HostTutorialTests {
    @Test func `every command of the tutorial says what the page says`() async throws {
        let page = try String(contentsOfFile: Tutorial.path, encoding: .utf8)
        let tutorial = Tutorial(page)
        #expect(tutorial.text == page)
        #expect(tutorial.steps.count > 20)
        let now = try await Lab.with { lab in
            try await lab.startDaemons()
            try await lab.introduce()
            return try await tutorial.recorded(in: lab)
        }
        for (then, step) in zip(tutorial.steps, now.steps) {
            #expect(
                step.saysTheSame(as: then),
                "host-\(step.host)# \(step.command)\n\(step.output)\nand not\n\(then.output)")
        }
    }

    @Test func `what is another each time is known by its kind alone`() {
        let page = """
            ```console
            host-a# one
            at 2026-11-27 10:00:00 UTC, 1.5 MiB in 20 ms, 2 of them
            host-b# two
            ```
            """
        let steps = Tutorial(page).steps
        #expect(steps.map(\.host) == ["a", "b"] && steps.map(\.command) == ["one", "two"])
        #expect(steps[1].output.isEmpty)
        for (said, isSame) in [
            ("at 2027-01-02 03:04:05 UTC,  17 KiB in 3.25 ms, 2 of them", true),
            ("at 2027-01-02 03:04:05 UTC, 17 KiB in 3.25 ms, 3 of them", false),
            ("at noon UTC, 17 KiB in 3.25 ms, 2 of them", false),
        ] {
            var other = steps[0]
            other.output = said
            #expect(steps[0].saysTheSame(as: other) == isSame)
        }
    }
}
