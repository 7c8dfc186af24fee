import Storage
import Testing

/// What `zfs send -n -v -t` of OpenZFS says of tokens, which a peer may have made up.
@Suite struct ResumeTokenTests {
    private func said(_ lines: [String]) -> [UInt8] {
        let text = """
            resume token contents:
            nvlist version: 0
            \(lines.map { "\t\($0)" }.joined(separator: "\n"))
            full send of tank/volumes/web/rootfs@godwit-pass-1 estimated size is 31.2M

            """
        return Array(text.utf8)
    }

    private let whole = [
        "object = 0x2", "offset = 0x1e0000", "bytes = 0x1f1a58", "toguid = 0x7bd9d8ff2f4ba6ba",
        "toname = tank/v@pass", "compressok",
    ]

    @Test func `the snapshot of which a token is is told`() {
        let token = ResumeToken(said(whole))
        #expect(token?.names("tank/v@pass", guid: "8924402727133095610") == true)
        #expect(token?.names("tank/v@pass", guid: "8924402727133095611") == false)
        #expect(token?.names("tank/v@pass2", guid: "8924402727133095610") == false)
        #expect(token?.names("tank/v@pass", guid: "") == false)
        #expect(ResumeToken([])?.names("", guid: "0") == false)
    }

    @Test(arguments: [
        "fromguid = 0x1", "toguid = 0x7bd9d8ff2f4ba6ba", "toname = tank/other@secret",
        "redact_book = x", "savedok", "", "embedok = 1\n\ttoname = tank/v@pass",
        // One character of a string, two bytes.
        "embedok = 1\r\n", "embedok = \u{e9}", "embedok = \(String(repeating: "x", count: 4_096))",
    ])
    func `what is said twice, or is not known, is none`(line: String) {
        #expect(ResumeToken(said(whole + [line])) == nil)
    }
}
