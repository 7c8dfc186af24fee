/// A word that no file may hold, what to use in its place, and where it is right.
struct BannedWord: Sendable {
    let word: String
    let instead: String
    let allowed: @Sendable (String) -> Bool

    init(_ word: String, _ instead: String, allowed: @escaping @Sendable (String) -> Bool) {
        self.word = word
        self.instead = instead
        self.allowed = allowed
    }

    static let all: [BannedWord] =
        [
            BannedWord("try!", "handle the error") { _ in false },
            BannedWord("FIXME", "an issue, or do it now") { _ in false },
            BannedWord("TODO", "an issue, or do it now") { _ in false },
            BannedWord("Thread.sleep", "eventually { }") { _ in false },
            BannedWord("DispatchQueue", "blocking { } or a task group") { _ in false },
            BannedWord("print(", "the log") { path in
                path.hasPrefix("Sources/godwit/") || path.hasPrefix("Sources/lab/")
            },
        ] + pairs

    private static let pairs = ["src", "dst", "sender", "receiver"].map { word in
        BannedWord(word, "source, target") { _ in false }
    }

    /// Whether the word stands in a line of code or comment on its own, in any case and also as one
    /// hump of a camelCase name.
    func stands(in line: String) -> Bool {
        guard word.allSatisfy(\.isLetter), word.first?.isLowercase == true else {
            return contains(line)
        }
        // Cheap first: only then is the line taken apart.
        guard line.lowercased().contains(word) else { return false }
        return humps(of: Self.withoutToolsWords(line)).contains(word)
    }

    /// rsync and conntrack call their ends so on their command lines and in their messages.
    private static func withoutToolsWords(_ line: String) -> String {
        [
            "--sender", "[sender]", "[receiver]", "--reply-src", "--reply-port-src",
            "--reply-port-dst",
        ].reduce(line) { rest, word in
            rest.split(separator: word, omittingEmptySubsequences: false).joined()
        }
    }

    /// `print(` is not found in `footprint(` or `printer`.
    private func contains(_ line: String) -> Bool {
        var rest = Substring(line)
        while let range = rest.firstRange(of: word) {
            let before = rest[..<range.lowerBound].last
            if before.map({ !$0.isLetter && $0 != "_" }) ?? true { return true }
            rest = rest[range.upperBound...]
        }
        return false
    }
}

/// The words of a line, in lower case: `sendToDst(sourcePath)` has send, to, dst, source and path.
func humps(of line: String) -> Set<String> {
    var words: Set<String> = []
    var word = ""
    for character in line + " " {
        if !character.isLetter || (character.isUppercase && word.last?.isLowercase == true) {
            words.insert(word.lowercased())
            word = ""
        }
        if character.isLetter { word.append(character) }
    }
    return words
}

/// What each module may import: the drawing in the design. Modules of the toolchain (Foundation and
/// the like) are everybody's but Core's.
enum Arrows {
    static let own: [String: Set<String>] = [
        "MigrationCore": [],
        "LinuxHost": ["MigrationCore", "CLinux", "CXXHash", "CLZ4"],
        "Pages": ["MigrationCore", "LinuxHost"],
        "Instances": ["MigrationCore", "LinuxHost", "Pages"],
        "Storage": ["MigrationCore", "LinuxHost"],
        "Wire": ["MigrationCore"],
        "Engine": ["MigrationCore"],
        "API": ["MigrationCore"],
        "godwit": ["MigrationCore", "LinuxHost", "Instances", "Storage", "Wire", "Engine", "API"],
        "TestSupport": ["MigrationCore", "LinuxHost"],
        "lab": ["MigrationCore", "LinuxHost", "Pages", "TestSupport"],
    ]

    static let foreign: [String: Set<String>] = [
        "LinuxHost": ["SwiftProtobuf"],
        "Wire": [
            "NIOCore", "NIOPosix", "NIOSSL", "NIOTLS", "Crypto", "X509", "SwiftASN1", "Logging",
        ],
        "Engine": ["GRDB", "Logging", "Crypto"],
        "Storage": ["Crypto"],
        "API": [
            "NIOCore", "NIOPosix", "NIOHTTP1", "NIOHTTPTypes", "NIOHTTPTypesHTTP1", "NIOWebSocket",
            "NIOSSL", "NIOTLS", "Logging",
            "Hummingbird", "HummingbirdCore", "AsyncHTTPClient", "HTTPTypes", "ServiceLifecycle",
            "NIOFoundationCompat", "HummingbirdTLS",
        ],
        "godwit": [
            "NIOCore", "NIOPosix", "NIOSSL", "Logging", "ArgumentParser", "ServiceLifecycle",
            "UnixSignals",
        ],
        "lab": ["ArgumentParser"],
    ]

    static let toolchain: Set<String> = [
        "Foundation", "FoundationEssentials", "Synchronization", "Glibc", "Musl",
    ]

    /// The imports of the file that no arrow allows.
    static func forbidden(in file: SourceFile) -> [String] {
        guard let own = own[file.module] else { return ["the module \(file.module) has no arrows"] }
        let foreign = foreign[file.module] ?? []
        let base = file.module == "MigrationCore" ? [] : toolchain
        return imports(of: file).filter { !own.union(foreign).union(base).contains($0) }
    }

    static func imports(of file: SourceFile) -> [String] {
        CodeText(file.lines).lines.compactMap { line in
            let words = line.split(separator: " ")
            guard let index = words.firstIndex(of: "import"),
                words[..<index].allSatisfy({ $0 == "package" || $0.hasPrefix("@") })
            else { return nil }
            // `import struct Foundation.Data` names the module in its last word.
            return words.last?.split(separator: ".").first.map(String.init)
        }
    }
}
