import Foundation

/// The part of an event of a run of tests that is read here (swift-testing ABI, version 0).
package struct TestEvent: Decodable {
    package struct Issue: Decodable { package var isKnown: Bool? }

    /// A moment on a clock that never jumps, in seconds.
    package struct Instant: Decodable { package var absolute: Double }

    /// One set of arguments.
    package struct Case: Decodable { package var displayName: String? }

    package var kind: String?
    package var testID: String?
    package var issue: Issue?
    package var instant: Instant?
    package var testCase: Case?

    enum CodingKeys: String, CodingKey {
        case kind, testID, issue, instant
        case testCase = "_testCase"
    }

    private struct Line: Decodable {
        var kind: String
        var payload: TestEvent?
    }

    /// Nil if the line is none, or describes a test.
    package init?(_ line: Substring) {
        guard let read = try? JSONDecoder().decode(Line.self, from: Data(line.utf8)),
            read.kind == "event", let payload = read.payload
        else { return nil }
        self = payload
    }
}
