/// Tests by name and outcome.
package struct TestSummary: Codable {
    package private(set) var passed: [String] = []
    package private(set) var failed: [String] = []
    package private(set) var skipped: [String] = []

    package init() {}

    package var line: String {
        "\(passed.count) passed, \(failed.count) failed, \(skipped.count) skipped"
    }

    /// Reads one run. A run that does not say that it ended crashed, and what had begun in it
    /// failed.
    package mutating func add(stream: String, named name: String) {
        var begun: Set<String> = []
        var broken: Set<String> = []
        var isComplete = false
        for line in stream.split(separator: "\n") {
            guard let event = TestEvent(line), let kind = event.kind else { continue }
            let test = event.testID ?? ""
            switch kind {
            case "testStarted": begun.insert(test)
            case "issueRecorded" where event.issue?.isKnown != true: broken.insert(test)
            case "testSkipped" where isFunction(test): skipped.append(test)
            case "testEnded" where begun.remove(test) != nil && isFunction(test):
                if broken.contains(test) { failed.append(test) } else { passed.append(test) }
            case "runEnded": isComplete = true
            default: break
            }
        }
        failed += begun.filter(isFunction).sorted()
        if !isComplete { failed.append("\(name): the run did not end") }
    }

    /// A suite's id ends with its name, a test's with its file and line.
    private func isFunction(_ id: String) -> Bool { id.contains(".swift:") }
}
