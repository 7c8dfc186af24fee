import MigrationCore
import Testing

@Suite struct InnermostTests {
    private let places = [
        (inside: "/data", value: 1), (inside: "/data/more", value: 2),
        (inside: "/donn\u{E9}es", value: 3),
    ]

    @Test(
        arguments: [
            ("/data/a/b", 1, "/a/b"), ("/data", 1, ""), ("/data/more/x", 2, "/x"),
            ("/data/moreover", 1, "/moreover"), ("/donn\u{E9}es/db", 3, "/db"),
        ] as [(String, Int, String)])
    func `the deepest place counts, byte by byte`(path: String, value: Int, rest: String) {
        let found = innermost(places, above: path)
        #expect(found?.value == value && found?.rest == rest)
    }

    @Test(arguments: ["/", "/database", "/etc/data/x", "/donne\u{301}es/db"])
    func `what lies in none is in none`(path: String) {
        #expect(innermost(places, above: path) == nil)
    }
}
