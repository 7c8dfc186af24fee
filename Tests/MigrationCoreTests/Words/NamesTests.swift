import MigrationCore
import Testing

@Suite struct NamesTests {
    @Test(arguments: ["a", "web", "web-1", "W", "a1", String(repeating: "a", count: 63)])
    func `labels are instance and remote names`(text: String) throws {
        #expect(try InstanceName(text).text == text)
        #expect(try RemoteName(text).description == text)
    }

    @Test(arguments: [
        "", "1a", "-a", "a-", "a_b", "a.b", "a b", "a/b", "..", "ä", "a\n", "a\0", "é1",
        String(repeating: "a", count: 64),
    ])
    func `nothing else is a name, and the error says what is`(text: String) {
        for make in [{ _ = try InstanceName(text) }, { _ = try RemoteName(text) }] {
            let error = #expect(throws: GodwitError.self) { try make() }
            #expect(error?.code == .badRequest)
            #expect(error?.remedy?.contains("63 letters") == true)
        }
    }

    @Test func `a migration's id is 32 lower-case hexadecimal digits`() throws {
        let good = String(repeating: "0f", count: 16)
        #expect(try MigrationID(good).text == good)
        let bad = [
            "", String(good.dropLast()), good + "0", String(repeating: "0F", count: 16),
            String(repeating: "0g", count: 16), String(repeating: "０", count: 32),
        ]
        for text in bad { #expect(throws: GodwitError.self) { try MigrationID(text) } }
    }

    @Test func `a refused name is quoted only as far as a screen is wide`() {
        let error = #expect(throws: GodwitError.self) {
            try InstanceName(String(repeating: "!", count: 100_000))
        }
        #expect((error?.message.count ?? .max) < 200)
    }
}
