import MigrationCore
import Testing

@Suite struct ImageNamesTests {
    private let digits = String(repeating: "0123456789abcdef", count: 4)

    @Test func `a digest is 64 lower-case hexadecimal digits of SHA-256`() throws {
        let digest = try BlobDigest("sha256:" + digits)
        #expect(digest.hexadecimal == digits && digest.description == "sha256:" + digits)
        #expect(digest.short == "0123456789ab")
        for text in [
            "", digits, "sha256:", "sha256:" + digits.dropLast(), "sha256:\(digits)0",
            "sha256:" + digits.uppercased(), "sha512:" + digits, "SHA256:" + digits,
            "sha256:../../../../etc/passwd", "sha256:" + String(repeating: "é", count: 32),
        ] {
            let error = #expect(throws: GodwitError.self) { try BlobDigest(text) }
            #expect(error?.code == .badRequest)
        }
    }

    @Test(arguments: ["a", "redis", "debian-12.5_slim", "7zip", String(repeating: "a", count: 64)])
    func `words without a slash are image names`(text: String) throws {
        #expect(try ImageName(text).text == text)
    }

    @Test(arguments: [
        "", ".", "..", "-a", "_a", "a/b", "./a", "a b", "a:b", "a\n", "a\0", "ä",
        String(repeating: "a", count: 65),
    ])
    func `nothing else is an image name`(text: String) {
        let error = #expect(throws: GodwitError.self) { try ImageName(text) }
        #expect(error?.code == .badRequest && error?.remedy?.contains("64 letters") == true)
    }

    @Test func `a digest is named by its beginning`() throws {
        let digest = try BlobDigest("sha256:" + digits)
        #expect(try ImageName("0123").begins(digest))
        #expect(try ImageName("sha256:" + digits).begins(digest))
        for text in ["012", "1234", "0123f"] { #expect(!(try ImageName(text).begins(digest))) }
    }

    @Test func `an image's size counts a blob once`() throws {
        let blob = ImageBlob(digest: try BlobDigest("sha256:" + digits), size: .kibibytes(1))
        let layer = ImageLayer(blob: blob, contentDigest: blob.digest, compression: .none)
        let image = StoredImage(
            manifest: blob, config: blob, layers: [layer, layer], architecture: "amd64",
            created: nil, origin: .layout, defaults: ImageDefaults())
        #expect(image.size == .kibibytes(1))
    }
}
