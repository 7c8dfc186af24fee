import MigrationCore
import Testing

@Suite struct NetworkAddressTests {
    @Test(
        arguments: [
            ("10.0.0.5", "10.0.0.5"), ("::", "0:0:0:0:0:0:0:0"), ("::1", "0:0:0:0:0:0:0:1"),
            ("fd00::5", "fd00:0:0:0:0:0:0:5"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
            ("::ffff:10.0.0.1", "0:0:0:0:0:ffff:a00:1"), ("1::", "1:0:0:0:0:0:0:0"),
            ("FE80::00Ab", "fe80:0:0:0:0:0:0:ab"),
        ])
    func `one spelling for each address`(text: String, normal: String) {
        #expect(NetworkAddress(text)?.description == normal)
    }

    @Test(
        arguments: [
            "", "10.0.0", "10.0.0.256", "10.0.0.1.2", "10.0.0.5/24", "1:2:3:4:5:6:7", ":::",
            "1::2::3", "1:2:3:4:5:6:7:8:9", "12345::", "g::", "::1.2.3", "1:2:3:4:5:6:7::8",
            "10.+1.0.1", "fd00::-5", "fd00::5%eth0", "1:",
        ])
    func `what is no address is none`(text: String) {
        #expect(NetworkAddress(text) == nil)
    }

    @Test func `addresses of one network have one prefix`() {
        #expect(NetworkPrefix("10.0.0.1/24") == NetworkPrefix("10.0.0.200/24"))
        #expect(NetworkPrefix("10.0.0.1/25") != NetworkPrefix("10.0.0.200/25"))
        #expect(NetworkPrefix("fd00::1/64") == NetworkPrefix("fd00::ffff:0:0:1/64"))
        #expect(NetworkPrefix("10.0.0.1/0") == NetworkPrefix("99.0.0.1/0"))
        #expect(NetworkPrefix("10.0.0.1/32") != NetworkPrefix("10.0.0.2/32"))
    }

    @Test(arguments: ["10.0.0.1", "10.0.0.1/33", "10.0.0.1/-1", "10.0.0.1/", "/24", "a/b/c"])
    func `what is no prefix is none`(text: String) {
        #expect(NetworkPrefix(text) == nil)
    }

    @Test(
        arguments: [
            (0, "0 bytes"), (1_023, "1023 bytes"), (1_024, "1 KiB"), (1_536, "1.5 KiB"),
            (1_048_575, "1023.9 KiB"), (1_048_576, "1 MiB"), (3 << 30, "3 GiB"),
            (UInt64.max, "16777215.9 TiB"),
        ])
    func `sizes are read by people`(bytes: UInt64, text: String) {
        #expect(sized(ByteCount(bytes: bytes)) == text)
    }

    @Test func `long lists are cut`() {
        #expect(listed(["b", "a"]) == "a, b")
        #expect(listed((10..<20).map(String.init)).hasSuffix("17 and 2 more"))
    }
}
