import Foundation
import Testing

/// The house rules that a machine can read. No reviewer should ever have to say one of them.
@Suite struct TidyTests {
    @Test func `every import follows an arrow of the drawing`() throws {
        for file in try SourceTree.swift() where !file.isTest {
            let strays = Arrows.forbidden(in: file)
            #expect(strays.isEmpty, "\(file.path) imports \(strays.joined(separator: ", "))")
        }
    }

    @Test func `no file is longer than 400 lines, no line than 100 columns`() throws {
        for file in try SourceTree.swift() {
            #expect(file.lines.count <= 400, "\(file.path) has \(file.lines.count) lines")
            let texts = file.isTest ? linesOfTexts(file.lines) : []
            for (index, line) in file.lines.enumerated()
            where isTooWide(line) && !texts.contains(index) {
                Issue.record("\(file.path):\(index + 1) has \(line.count) columns")
            }
        }
    }

    @Test func `no function is longer than 60 lines`() throws {
        for file in try SourceTree.swift() {
            for function in functions(in: file.lines) where function.lines > 60 {
                let place = "\(file.path):\(function.firstLine)"
                Issue.record("\(place) \(function.name) has \(function.lines) lines")
            }
        }
    }

    @Test func `no banned word`() throws {
        // These files name the words in order to ban them.
        for file in try SourceTree.swift() where file.module != "TidyTests" {
            for (index, line) in file.lines.enumerated() {
                for rule in BannedWord.all where !rule.allowed(file.path) && rule.stands(in: line) {
                    Issue.record(
                        "\(file.path):\(index + 1): \(rule.word) (use \(rule.instead))")
                }
            }
        }
    }

    @Test func `every unstructured task says why it is there`() throws {
        for file in try SourceTree.swift() where !file.isTest && file.module != "godwit" {
            for index in unexplainedTasks(in: file.lines) {
                Issue.record("\(file.path):\(index + 1): a task that nobody waits for")
            }
        }
    }

    @Test func `everything in docs is linked from another page`() throws {
        let pages = try SourceTree.markdown()
        for page in pages where page.path.hasPrefix("docs/") {
            #expect(isLinked(page.path, from: pages), "\(page.path) is linked from nowhere")
        }
    }

    @Test func `every link between pages leads somewhere`() throws {
        for page in try SourceTree.markdown() {
            for target in links(in: page) {
                let place = SourceTree.root + "/" + target
                #expect(FileManager.default.fileExists(atPath: place), "\(page.path): \(target)")
            }
        }
    }

    @Test func `every error code is documented`() throws {
        let code = try SourceTree.read("Sources/MigrationCore/Words/ErrorCode.swift")
        let page = (try? SourceTree.read("docs/errors.md"))?.lines.joined(separator: "\n") ?? ""
        for name in errorCodes(in: code.lines) {
            #expect(page.contains("`\(name)`"), "docs/errors.md says nothing of \(name)")
        }
        #expect(errorCodes(in: code.lines).count >= 20)
    }

    @Test func `the figures are written down`() throws {
        let figures = Figures(files: try SourceTree.swift())
        try figures.write(to: SourceTree.root + "/.results/tidy.json")
        #expect(figures.functions.max <= 60 && figures.files.max <= 400)
    }
}

/// A row of a table in a comment cannot be wrapped.
private func isTooWide(_ line: String) -> Bool {
    line.count > 100 && !line.drop { $0 == " " || $0 == "/" }.hasPrefix("|")
}

/// Lines inside of multi-line string literals: shell scripts and recorded output of tests, which a
/// break would change.
private func linesOfTexts(_ lines: [String]) -> Set<Int> {
    var inside = false
    var texts: Set<Int> = []
    for (index, line) in lines.enumerated() {
        if inside { texts.insert(index) }
        if line.components(separatedBy: "\"\"\"").count % 2 == 0 { inside.toggle() }
    }
    return texts
}
