import Foundation

/// The targets of a page's links to other files of the package, relative to its root.
func links(in page: SourceFile) -> [String] {
    page.lines.flatMap(linkTargets).compactMap { target in
        let path = target.prefix { $0 != "#" }
        guard !path.isEmpty, !path.contains("://"), !path.hasPrefix("mailto:") else { return nil }
        let folder = page.path.split(separator: "/").dropLast().map(String.init)
        return resolve(folder, String(path))
    }
}

/// Whether a page other than itself links to it.
func isLinked(_ path: String, from pages: [SourceFile]) -> Bool {
    pages.contains { $0.path != path && links(in: $0).contains(path) }
}

private func linkTargets(_ line: String) -> [String] {
    line.components(separatedBy: "](").dropFirst().compactMap { rest in
        rest.contains(")") ? String(rest.prefix { $0 != ")" }) : nil
    }
}

private func resolve(_ folder: [String], _ path: String) -> String {
    var parts = folder
    for part in path.split(separator: "/") {
        switch part {
        case ".": break
        case "..": parts = parts.dropLast()
        default: parts.append(String(part))
        }
    }
    return parts.joined(separator: "/")
}

/// The spelling of every case of the enumeration `Code`: its raw value or its name.
func errorCodes(in lines: [String]) -> [String] {
    let start = lines.firstIndex { $0.contains("enum Code") } ?? lines.endIndex
    return lines[start...].dropFirst().prefix { !$0.contains("}") }.compactMap { line in
        let words = line.split(separator: " ")
        guard words.first == "case", words.count >= 2 else { return nil }
        return words.last.map { $0.trimmingCharacters(in: ["\""]) }
    }
}

/// The lines that start a task without a comment on them, below them or in the four lines above.
func unexplainedTasks(in lines: [String]) -> [Int] {
    let code = CodeText(lines).lines
    return code.indices.filter { index in
        let line = code[index]
        guard ["Task {", "Task.detached {", "Task<"].contains(where: startsTask(line)) else {
            return false
        }
        let near = lines[max(0, index - 4)...min(index + 1, lines.count - 1)]
        return !near.contains { $0.contains("//") }
    }
}

private func startsTask(_ line: String) -> (String) -> Bool {
    { sign in
        guard let range = line.firstRange(of: sign), line.hasSuffix("{") || line.contains("{ ")
        else {
            return false
        }
        let before = line[..<range.lowerBound].last
        return before.map { !$0.isLetter && $0 != "." } ?? true
    }
}
