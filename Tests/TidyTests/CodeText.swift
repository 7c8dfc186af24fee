/// Swift text with comments and string literals blanked out, line for line, so that a brace or a
/// word found in it is code.
struct CodeText {
    let lines: [String]

    init(_ source: [String]) {
        var scanner = Scanner()
        lines = source.map { scanner.code(of: $0) }
    }

    private struct Scanner {
        private enum State: Equatable {
            case code
            case comment(depth: Int)
            case string(hashes: Int, isLong: Bool)
        }

        private var state = State.code
        /// Open brackets of the interpolations that we are in, with the string around each.
        private var interpolations: [(brackets: Int, outer: State)] = []

        mutating func code(of line: String) -> String {
            var rest = Substring(line)
            var code = ""
            while let first = rest.first {
                switch state {
                case .code:
                    if rest.hasPrefix("//") { return code }
                    readCode(&rest, first, into: &code)
                case .comment(let depth): readComment(&rest, depth)
                case .string(let hashes, let isLong): readString(&rest, hashes, isLong)
                }
            }
            if case .string(_, isLong: false) = state, interpolations.isEmpty { state = .code }
            return code
        }

        private mutating func readCode(
            _ rest: inout Substring, _ first: Character, into code: inout String
        ) {
            if rest.hasPrefix("/*") {
                rest.removeFirst(2)
                state = .comment(depth: 1)
            } else if let (hashes, isLong) = opening(rest) {
                rest.removeFirst(hashes + (isLong ? 3 : 1))
                state = .string(hashes: hashes, isLong: isLong)
                code += "\"\""
            } else {
                rest.removeFirst()
                code.append(first)
                track(first)
            }
        }

        /// The number of `#` before a quotation mark that opens a literal here, if one does.
        private func opening(_ rest: Substring) -> (hashes: Int, isLong: Bool)? {
            let hashes = rest.prefix { $0 == "#" }.count
            let quotes = rest.dropFirst(hashes)
            guard quotes.first == "\"" else { return nil }
            return (hashes, quotes.hasPrefix("\"\"\""))
        }

        private mutating func track(_ character: Character) {
            guard let last = interpolations.indices.last else { return }
            if character == "(" { interpolations[last].brackets += 1 }
            guard character == ")" else { return }
            interpolations[last].brackets -= 1
            if interpolations[last].brackets == 0 { state = interpolations.removeLast().outer }
        }

        private mutating func readComment(_ rest: inout Substring, _ depth: Int) {
            let isEnd = rest.hasPrefix("*/")
            let isStart = rest.hasPrefix("/*")
            rest.removeFirst(isEnd || isStart ? 2 : 1)
            let now = depth + (isStart ? 1 : 0) - (isEnd ? 1 : 0)
            state = now == 0 ? .code : .comment(depth: now)
        }

        private mutating func readString(_ rest: inout Substring, _ hashes: Int, _ isLong: Bool) {
            let marks = String(repeating: "#", count: hashes)
            let end = (isLong ? "\"\"\"" : "\"") + marks
            if rest.hasPrefix(end) {
                rest.removeFirst(end.count)
                state = .code
            } else if rest.hasPrefix("\\" + marks + "(") {
                rest.removeFirst(2 + hashes)
                interpolations.append((1, state))
                state = .code
            } else {
                // An escaped character is skipped with its backslash.
                let isEscape = rest.first == "\\" && hashes == 0
                rest.removeFirst(min(isEscape ? 2 : 1, rest.count))
            }
        }
    }
}
