/// A text with commands and what they said: the sessions (fenced as `console`) of a Markdown page.
///
///     ```console
///     host-a# godwit list
///     NAME  STATUS …
///     ```
///
/// A line that begins with a host's name and `# ` is a command; the lines below are what it said.
package struct Tutorial: Equatable, Sendable {
    package struct Step: Equatable, Sendable {
        /// `a` for `host-a`.
        package var host: String
        package var command: String
        /// Without the end of the last line.
        package var output: String
    }

    package enum Part: Equatable, Sendable {
        case prose([String])
        case session([Step])
    }

    package private(set) var parts: [Part] = []

    /// - Parameter page: the whole page.
    package init(_ page: String) {
        var lines: [String] = []
        var isSession = false
        for line in page.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            let isFence = isSession ? line == "```" : line == "```console"
            guard isFence else {
                lines.append(line)
                continue
            }
            parts.append(isSession ? .session(Self.steps(lines)) : .prose(lines))
            lines = []
            isSession.toggle()
        }
        parts.append(.prose(lines))
    }

    /// The page again.
    package var text: String {
        parts.map { part in
            switch part {
            case .prose(let lines): lines.joined(separator: "\n")
            case .session(let steps):
                "```console\n" + steps.map(\.text).joined(separator: "\n") + "\n```"
            }
        }
        .joined(separator: "\n")
    }

    package var steps: [Step] {
        parts.flatMap { part -> [Step] in
            if case .session(let steps) = part { steps } else { [] }
        }
    }

    private static func steps(_ lines: [String]) -> [Step] {
        var steps: [Step] = []
        var said: [String] = []
        for line in lines {
            if let step = Step(line) {
                steps.append(step)
                said = []
            } else {
                said.append(line)
                if !steps.isEmpty {
                    steps[steps.count - 1].output = said.joined(separator: "\n")
                }
            }
        }
        return steps
    }

    /// Runs every command with the body, one after the other.
    ///
    /// - Returns: the same page with what they said now.
    package func recorded(
        _ run: (Step) async throws -> String
    ) async rethrows -> Tutorial {
        var other = self
        for index in parts.indices {
            guard case .session(var steps) = parts[index] else { continue }
            for step in steps.indices { steps[step].output = try await run(steps[step]) }
            other.parts[index] = .session(steps)
        }
        return other
    }
}

extension Tutorial.Step {
    /// - Parameter line: `host-a# godwit list`, or something else.
    fileprivate init?(_ line: String) {
        guard let match = line.wholeMatch(of: /host-([a-z])# (.+)/) else { return nil }
        self.init(host: String(match.1), command: String(match.2), output: "")
    }

    fileprivate var text: String {
        "host-\(host)# \(command)" + (output.isEmpty ? "" : "\n" + output)
    }

    /// Whether it says the same here and there, but for what is another each time.
    package func saysTheSame(as other: Self) -> Bool {
        Self.form(output) == Self.form(other.output)
    }

    /// Moments, durations, sizes, hardware addresses and long hexadecimal numbers are only known by
    /// their kind, and spaces by being there.
    static func form(_ text: String) -> String {
        text.replacing(/\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?/, with: "MOMENT")
            .replacing(/([0-9a-f]{2}:){5}[0-9a-f]{2}/, with: "MAC")
            .replacing(/\b[0-9a-f]{12,}\b/, with: "HEX")
            .replacing(/\b\d+(\.\d+)? (B|KiB|MiB|GiB)\b/, with: "SIZE")
            .replacing(/\b\d+(\.\d+)? (ms|s)\b/, with: "TIME")
            .replacing(/[ \t]+/, with: " ")
    }
}
