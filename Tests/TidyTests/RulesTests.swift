import Testing

/// That the house rules can fail: each is fed a text that breaks it.
@Suite struct RulesTests {
    @Test(arguments: [
        ("try! open()", "try!"), ("// TODO: later", "TODO"), ("print(name)", "print("),
        ("let dst = 1", "dst"), ("func send(toDst: Int)", "dst"), ("var srcPath", "src"),
        ("/// The Sender's half.", "sender"), ("enum Receiver {}", "receiver"),
        ("DispatchQueue.main", "DispatchQueue"), ("Thread.sleep(1)", "Thread.sleep"),
    ])
    func `a banned word is found`(line: String, word: String) {
        #expect(BannedWord.all.filter { $0.stands(in: line) }.map(\.word) == [word])
    }

    @Test(arguments: [
        "footprint(of: tree)", "let source = target", "the senders of mail", "blueprint(",
        "try open()", "a list of todos", #"["--server", "--sender"]"#, "rsync: [receiver] mknod",
    ])
    func `a word that only looks like one is not`(line: String) {
        #expect(BannedWord.all.filter { $0.stands(in: line) }.map(\.word) == [])
    }

    @Test func `an import against the arrows is found`() {
        let core = SourceFile(path: "Sources/MigrationCore/A.swift", text: "import Foundation\n")
        #expect(Arrows.forbidden(in: core) == ["Foundation"])
        let engine = SourceFile(
            path: "Sources/Engine/A.swift",
            text: "import GRDB\npackage import MigrationCore\n@testable import Wire\n")
        #expect(Arrows.forbidden(in: engine) == ["Wire"])
        let unknown = SourceFile(path: "Sources/Misc/A.swift", text: "")
        #expect(!Arrows.forbidden(in: unknown).isEmpty)
    }

    @Test func `an import of one declaration names its module`() {
        let file = SourceFile(
            path: "Sources/Wire/A.swift", text: "import struct NIOCore.ByteBuffer\n// import X\n")
        #expect(Arrows.imports(of: file) == ["NIOCore"])
    }

    @Test func `a function is measured from its first line to its last brace`() {
        let source = """
            struct A {
                func short() -> Int { 1 }
                func long(
                    _ body: () -> Void = {},
                    name: String
                ) async throws
                    -> String
                {
                    if true { body() }
                    // a brace in a comment }
                    return "} \\(name.map { "}" }) {"
                }
                init() { a = 1 }
                deinit {
                }
            }
            protocol B {
                func required(_ x: Int) -> Int
                var y: Int { get }
            }
            """
        let found = functions(in: source.split(separator: "\n").map(String.init))
        #expect(found.map(\.name) == ["short", "long", "init", "deinit"])
        #expect(found.map(\.lines) == [1, 10, 1, 2])
        #expect(found.map(\.firstLine) == [2, 3, 13, 14])
    }

    @Test func `calls and words are no functions`() {
        let source = [
            "self.init(1)", "let func1 = { }", "// func a() {", "x.deinit { }", "func b()",
        ]
        #expect(functions(in: source).isEmpty)
    }

    @Test func `a test's sentence is its function's name`() {
        #expect(
            functions(in: ["@Test func `it works (well)`() { }"]).map(\.name) == ["it works (well)"]
        )
    }

    @Test func `strings and comments are no code`() {
        let lines = CodeText([
            #"let a = "{ // \" }" // {"#, "/* { /* } */ {", "} */ let b = #\"{\"\\(\"#", "\"\"\"",
            "{ \\(c.map { 1 }) }", "\"\"\" + d",
        ]).lines
        #expect(lines == [#"let a = "" "#, "", " let b = \"\"", "\"\"", "c.map { 1 })", " + d"])
    }

    @Test func `a page that nobody links is found`() {
        let pages = [
            SourceFile(path: "README.md", text: "[a](docs/a.md#top) [web](https://x.org/b.md)\n"),
            SourceFile(path: "docs/a.md", text: "[self](a.md) [up](../README.md)\n"),
            SourceFile(path: "docs/b.md", text: "[self](b.md)\n"),
        ]
        #expect(isLinked("docs/a.md", from: pages))
        #expect(!isLinked("docs/b.md", from: pages))
        #expect(links(in: pages[1]) == ["docs/a.md", "README.md"])
    }

    @Test func `error codes are read with their spelling`() {
        let lines = [
            "enum Code: String {", "case busy", "case notFound = \"not-found\"", "}", "case x",
        ]
        #expect(errorCodes(in: lines) == ["busy", "not-found"])
    }

    @Test func `a task without a reason is found`() {
        #expect(unexplainedTasks(in: ["let a = 1", "Task { run() }", "x"]) == [1])
        #expect(unexplainedTasks(in: ["// It must outlive the call.", "Task { run() }"]) == [])
        #expect(unexplainedTasks(in: ["group.addTask { run() }", "withTask {"]) == [])
    }

    @Test func `lengths are summed up by their middle and their end`() {
        let lengths = Figures.Lengths([1, 2, 3, 4, 5, 6, 7, 8, 9, 100])
        #expect((lengths.median, lengths.p90, lengths.max, lengths.count) == (5, 9, 100, 10))
        #expect(Figures.Lengths([]).max == 0)
        #expect(assertions(in: ["precondition(a)", "// precondition(b)", "require(c)"]) == 2)
    }
}
