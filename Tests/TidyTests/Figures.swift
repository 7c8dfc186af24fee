import Foundation

/// What the house measures of itself, in `.results/tidy.json`.
struct Figures: Codable {
    struct Lengths: Codable, Equatable {
        let count: Int
        let median: Int
        let p90: Int
        let max: Int

        init(_ lengths: [Int]) {
            let sorted = lengths.sorted()
            let at = { (share: Double) in
                sorted.isEmpty ? 0 : sorted[Int(share * Double(sorted.count - 1))]
            }
            count = sorted.count
            median = at(0.5)
            p90 = at(0.9)
            max = sorted.last ?? 0
        }
    }

    /// Of Sources alone: a test's length says something else.
    let functions: Lengths
    let files: Lengths
    let sourceLines: Int
    let testLines: Int
    let testLinesPerSourceLine: Double
    let assertionsPerThousandLines: [String: Double]

    init(files all: [SourceFile]) {
        let sources = all.filter { !$0.isTest }
        functions = Lengths(sources.flatMap { measure($0.lines) })
        files = Lengths(sources.map(\.lines.count))
        sourceLines = sources.map(\.lines.count).reduce(0, +)
        testLines = all.filter(\.isTest).map(\.lines.count).reduce(0, +)
        testLinesPerSourceLine =
            sourceLines == 0 ? 0 : hundredths(Double(testLines) / Double(sourceLines))
        assertionsPerThousandLines = Dictionary(grouping: sources, by: \.module)
            .mapValues { files in
                let lines = files.map(\.lines.count).reduce(0, +)
                let found = files.map { assertions(in: $0.lines) }.reduce(0, +)
                return lines == 0 ? 0 : hundredths(1000 * Double(found) / Double(lines))
            }
    }

    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let place = URL(filePath: path)
        try FileManager.default.createDirectory(
            at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
        try encoder.encode(self).write(to: place)
    }
}

/// Promises that trap when broken.
func assertions(in lines: [String]) -> Int {
    CodeText(lines).lines.count { line in
        ["precondition(", "preconditionFailure(", "require("].contains { line.contains($0) }
    }
}

private func hundredths(_ value: Double) -> Double { (value * 100).rounded() / 100 }

private func measure(_ lines: [String]) -> [Int] { functions(in: lines).map(\.lines) }
