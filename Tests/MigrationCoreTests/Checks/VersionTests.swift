import Foundation
import MigrationCore
import Testing

@Suite struct VersionTests {
    @Test(
        arguments: [
            ("6.18.44-fc-v857", "6.18.44"), ("1.1.5+ds1", "1.1.5"), ("4.2", "4.2"), ("7", "7"),
            ("3.2.7~rc1", "3.2.7"), ("1.2.3.4.5", "1.2.3.4"), ("5.10.0-rc1.2", "5.10.0"),
            ("1..2", "1"), ("2.99999999999.3", "2"), ("6.x", "6"), ("4.2rc1.7", "4.2"),
        ])
    func `the leading numbers are read`(text: String, version: String) {
        #expect(Version(parsing: text)?.description == version)
    }

    @Test(arguments: ["", "v1.2", ".5", "rc", "-1", " 1", "٣.٤", "99999999999"])
    func `a text that does not start with a number is none`(text: String) {
        #expect(Version(parsing: text) == nil)
    }

    @Test func `versions compare number by number`() {
        #expect(Version(4, 2) < Version(4, 10))
        #expect(Version(3, 99, 99) < Version(4))
        #expect(Version(4, 2) < Version(4, 2, 0, 1))
        #expect(!(Version(4, 2, 1) < Version(4, 2)))
    }

    @Test func `zeros at the end make no difference`() {
        #expect(Version(4, 2) == Version(4, 2, 0))
        #expect(!(Version(4, 2) < Version(4, 2, 0)) && !(Version(4, 2, 0) < Version(4, 2)))
        #expect(Set([Version(4, 2), Version(4, 2, 0, 0)]).count == 1)
        #expect(Version(4, 2) != Version(4, 2, 0, 1))
    }

    @Test func `it travels as its text and nothing else is taken`() throws {
        let data = try JSONEncoder().encode([Version(4, 2, 1)])
        #expect(String(decoding: data, as: UTF8.self) == "[\"4.2.1\"]")
        #expect(try JSONDecoder().decode([Version].self, from: data) == [Version(4, 2, 1)])
        for text in ["[\"\"]", "[\"4.x\"]", "[\"1.2.3.4.5\"]", "[4]", "[\"04\"]"] {
            #expect(throws: (any Error).self) {
                try JSONDecoder().decode([Version].self, from: Data(text.utf8))
            }
        }
    }

    @Test func `more than four numbers are a mistake of ours`() async {
        await #expect(processExitsWith: .failure) { _ = Version(1, 2, 3, 4, 5) }
    }
}
