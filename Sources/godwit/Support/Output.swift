import Foundation

/// The two places where this program writes.
enum Output {
    static func say(_ text: String) { print(text) }

    static func say(bytes: [UInt8]) throws {
        try FileHandle.standardOutput.write(contentsOf: Data(bytes))
    }

    static func complain(_ text: String) { complain(raw: text + "\n") }

    /// Without a line end.
    static func complain(raw text: String) {
        // A closed standard error is no reason to stop.
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }

    static func complain(bytes: [UInt8]) throws {
        try FileHandle.standardError.write(contentsOf: Data(bytes))
    }

    /// The values as JSON, the same that the tables show.
    static func say(json value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        say(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}

/// Whether colours are used: only on a terminal, and never with NO_COLOR.
package struct Style: Equatable, Sendable {
    package var isColoured: Bool

    package init(isColoured: Bool) { self.isColoured = isColoured }

    package static let plain = Style(isColoured: false)
    static var forOutput: Style { Style(isColoured: hasColours(STDOUT_FILENO)) }
    static var forErrors: Style { Style(isColoured: hasColours(STDERR_FILENO)) }

    func good(_ text: String) -> String { wrap(text, "32") }
    func bad(_ text: String) -> String { wrap(text, "31") }
    func warning(_ text: String) -> String { wrap(text, "33") }
    func strong(_ text: String) -> String { wrap(text, "1") }

    private func wrap(_ text: String, _ code: String) -> String {
        isColoured ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }

    private static func hasColours(_ descriptor: Int32) -> Bool {
        isTerminal(descriptor) && ProcessInfo.processInfo.environment["NO_COLOR"] == nil
    }
}

/// A terminal that can redraw a line.
func isTerminal(_ descriptor: Int32) -> Bool {
    isatty(descriptor) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
}
