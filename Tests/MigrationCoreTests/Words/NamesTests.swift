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

    @Test(arguments: [
        "a", "snap0", "0", "2026-11-27_10.00", "A.b_c-", String(repeating: "a", count: 100),
    ])
    func `a snapshot's name is a file name that begins plainly`(text: String) throws {
        #expect(try SnapshotName(text).text == text)
    }

    @Test(arguments: [
        "", ".", "..", ".a", "-a", "_a", "a/b", "a b", "ä", "a\n", "a\0", "@a",
        String(repeating: "a", count: 101),
    ])
    func `nothing else is a snapshot's name`(text: String) {
        let error = #expect(throws: GodwitError.self) { try SnapshotName(text) }
        #expect(error?.code == .badRequest)
        #expect(error?.remedy?.contains("100 letters") == true)
    }

    @Test(
        arguments: [
            ([], "snap0"), (["snap0"], "snap1"), (["snap0", "snap7", "mine"], "snap8"),
            (["snap"], "snap0"), (["snap1x", "Snap3"], "snap0"), (["snap007"], "snap8"),
            (["snap18446744073709551615"], "snap0"),
            (["snap999999999", "snap1000000000"], "snap1000000001"),
        ] as [([String], String)])
    func `a snapshot without a name gets the next number`(
        names: [String], next: String
    ) throws {
        let known = try names.map { text throws(GodwitError) in try SnapshotName(text) }
        #expect(SnapshotName.next(after: known).text == next)
    }

    @Test func `a snapshot is named after its instance`() throws {
        let path = try SnapshotPath("web/snap0")
        #expect(path.instance.text == "web" && path.snapshot?.text == "snap0")
        #expect(path.description == "web/snap0")
        #expect(try SnapshotPath("web").snapshot == nil)
        for text in ["", "/", "web/", "/snap0", "web/a/b", "9/snap0"] {
            #expect(throws: GodwitError(.badRequest, "")) { try SnapshotPath(text) }
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
