/// One function, initializer or deinitializer and the lines that it takes, first to last.
struct FunctionLength: Equatable {
    let name: String
    let firstLine: Int
    let lines: Int
}

/// Measures every function with a body by matching braces in code (comments and strings left out).
/// A function inside another counts on its own and in the one around it.
func functions(in source: [String]) -> [FunctionLength] {
    let code = CodeText(source).lines
    return code.indices.compactMap { index in
        guard let name = declaredFunction(code[index]) else { return nil }
        guard let last = endOfBody(code, from: index) else { return nil }
        return FunctionLength(name: name, firstLine: index + 1, lines: last - index + 1)
    }
}

/// The name if the line declares a function; `init` and `deinit` only where they are declared.
private func declaredFunction(_ line: String) -> String? {
    let words = line.split { " \t".contains($0) }
    guard
        let index = words.firstIndex(where: { word in
            word == "func" || word.hasPrefix("init(") || word.hasPrefix("init?(")
                || word.hasPrefix("init<") || word == "deinit"
        }), words[..<index].allSatisfy(isModifier)
    else { return nil }
    guard words[index] == "func" else { return String(words[index].prefix { $0 != "(" }) }
    let rest = words.dropFirst(index + 1).joined(separator: " ")
    return rest.hasPrefix("`")
        ? String(rest.dropFirst().prefix { $0 != "`" }) : String(rest.prefix { $0 != "(" })
}

private func isModifier(_ word: Substring) -> Bool {
    let known: Set<Substring> = [
        "package", "public", "internal", "private", "fileprivate", "static", "mutating",
        "consuming",
        "borrowing", "nonisolated", "override", "final", "class", "convenience", "required",
        "nonmutating", "isolated", "prefix", "postfix", "infix", "indirect",
    ]
    return known.contains(word) || word.hasPrefix("@") || word.hasSuffix(")")
}

/// The line where the body's last brace closes; nil for a requirement without a body. A body opens
/// with the first brace outside all brackets before the declaration ends.
private func endOfBody(_ code: [String], from first: Int) -> Int? {
    var braces = 0
    var brackets = 0
    for index in first..<code.count {
        for character in code[index] {
            switch character {
            case "(", "[": brackets += 1
            case ")", "]": brackets -= 1
            case "{" where braces > 0 || brackets == 0: braces += 1
            case "}" where braces > 0:
                braces -= 1
                if braces == 0 { return index }
            case "}" where brackets == 0: return nil
            default: break
            }
        }
        if braces == 0, brackets == 0, declarationEnds(code, after: index) { return nil }
    }
    return nil
}

/// Whether the next line no longer belongs to the signature.
private func declarationEnds(_ code: [String], after index: Int) -> Bool {
    let next = code.dropFirst(index + 1).first { $0.contains { !$0.isWhitespace } } ?? ""
    let start = next.drop { $0.isWhitespace }
    let continues = ["{", "where", "async", "throws", "rethrows", "->", ")"]
    return !continues.contains { start.hasPrefix($0) }
}
