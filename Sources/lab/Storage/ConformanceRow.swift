import TestSupport

/// A case of the suites that every driver of pools runs through, between two kinds of pools.
package struct ConformanceRow: Codable, Equatable, Sendable {
    /// The test's name.
    package var name: String
    package var source: String
    package var target: String
    package var passed: Bool
    /// Of all its arguments together.
    package var seconds: Double

    enum CodingKeys: String, CodingKey {
        case source, target, passed, seconds
        case name = "case"
    }

    package init(name: String, source: String, target: String, passed: Bool, seconds: Double) {
        self.name = name
        self.source = source
        self.target = target
        self.passed = passed
        self.seconds = seconds
    }

    package var pairing: String { "\(source) to \(target)" }

    package func isSame(as other: ConformanceRow) -> Bool {
        name == other.name && source == other.source && target == other.target
    }
}

/// Cases of suites `…ConformanceTests` in an event stream of Swift Testing.
package struct ConformanceStream {
    /// In the order in which they began.
    package private(set) var rows: [ConformanceRow] = []
    /// Whether the run says that it came to its end.
    package private(set) var isComplete = false
    private var begun: [String: Double] = [:]
    private var last = 0.0

    /// What began and never ended has failed, with the time until the last word of the run.
    package init(_ text: String) {
        for line in text.split(separator: "\n") {
            if let event = TestEvent(line) { read(event) }
        }
        for (key, start) in begun {
            guard let index = rows.firstIndex(where: { Self.key($0) == key }) else { continue }
            rows[index].passed = false
            rows[index].seconds += last - start
        }
    }

    private mutating func read(_ event: TestEvent) {
        last = event.instant?.absolute ?? last
        if event.kind == "runEnded" { isComplete = true }
        guard let row = Self.row(of: event) else { return }
        let index = rows.firstIndex { $0.isSame(as: row) } ?? rows.count
        if index == rows.count { rows.append(row) }
        switch event.kind {
        case "testCaseStarted": begun[Self.key(row)] = last
        case "testCaseEnded":
            if let start = begun.removeValue(forKey: Self.key(row)) {
                rows[index].seconds += last - start
            }
        case "issueRecorded" where event.issue?.isKnown != true: rows[index].passed = false
        default: break
        }
    }

    private static func key(_ row: ConformanceRow) -> String { "\(row.pairing): \(row.name)" }

    /// Nothing of it yet; nil if the event is not of such a case.
    private static func row(of event: TestEvent) -> ConformanceRow? {
        guard let test = event.testID, test.contains("ConformanceTests/"),
            let first = test.firstIndex(of: "`"), let end = test.lastIndex(of: "`"), first < end,
            let kinds = event.testCase?.displayName.flatMap(kinds)
        else { return nil }
        return ConformanceRow(
            name: String(test[test.index(after: first)..<end]), source: kinds.source,
            target: kinds.target, passed: true, seconds: 0)
    }

    /// From `directory to btrfs`, from `.btrfs`, and from either with further arguments.
    private static func kinds(_ shown: String) -> (source: String, target: String)? {
        guard let first = shown.split(separator: ",").first else { return nil }
        if first.hasPrefix(".") { return (String(first.dropFirst()), String(first.dropFirst())) }
        let words = first.split(separator: " ")
        guard words.count == 3, words[1] == "to" else { return nil }
        return (String(words[0]), String(words[2]))
    }
}
