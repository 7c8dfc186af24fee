import TestSupport
import Testing

/// How a run's event stream becomes `.results/test.json`.
@Suite struct SummaryTests {
    private func event(_ kind: String, _ test: String, more: String = "") -> String {
        #"{"kind":"event","payload":{"kind":"\#(kind)","testID":"\#(test)"\#(more)},"version":0}"#
    }

    @Test func `passed, failed and skipped tests are told apart`() {
        let good = "A.B/good()/B.swift:1:2"
        let bad = "A.B/bad()/B.swift:2:2"
        let known = "A.B/known()/B.swift:3:2"
        let issue = #","issue":{"isKnown":false}"#
        let knownIssue = #","issue":{"isKnown":true}"#
        var summary = TestSummary()
        summary.add(
            stream: [
                event("testStarted", "A.B"), event("testStarted", good),
                event("testEnded", good), event("testStarted", bad),
                event("issueRecorded", bad, more: issue), event("testEnded", bad),
                event("testSkipped", "A.B/off()/B.swift:9:2"), event("testStarted", known),
                event("issueRecorded", known, more: knownIssue), event("testEnded", known),
                event("testEnded", "A.B"), #"{"kind":"test","payload":{}}"#,
                #"{"kind":"event","payload":{"kind":"runEnded"}}"#,
            ].joined(separator: "\n"), named: "plain")
        #expect(summary.passed == [good, known])
        #expect(summary.failed == [bad])
        #expect(summary.line == "2 passed, 1 failed, 1 skipped")
    }

    @Test func `a run that crashed fails with the test that was running`() {
        var summary = TestSummary()
        summary.add(stream: event("testStarted", "A.B/x()/B.swift:1:2"), named: "plain")
        #expect(summary.failed == ["A.B/x()/B.swift:1:2", "plain: the run did not end"])
    }

    @Test func `a stream that is missing fails`() {
        var summary = TestSummary()
        summary.add(stream: "", named: "host")
        #expect(summary.failed == ["host: the run did not end"])
    }
}
