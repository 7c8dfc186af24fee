import Foundation

/// One file of the package, as the house rules see it.
struct SourceFile: Sendable {
    /// Relative to the package, e.g. `Sources/Wire/Frame.swift`.
    let path: String
    let lines: [String]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            .dropLast(text.hasSuffix("\n") ? 1 : 0)
    }

    /// The folder below `Sources` or `Tests`: the module's name.
    var module: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }
    var isTest: Bool { path.hasPrefix("Tests/") }
    /// Written by a tool and committed: measured by nobody.
    var isGenerated: Bool { lines.prefix(3).contains { $0.contains("DO NOT EDIT") } }
}

enum SourceTree {
    /// The package's directory: the one that holds `Package.swift`, from this file upwards.
    static let root: String = {
        var place = URL(filePath: #filePath)
        while place.path().count > 1 {
            place = place.deletingLastPathComponent()
            let manifest = place.appending(path: "Package.swift").path()
            if FileManager.default.fileExists(atPath: manifest) { return place.path() }
        }
        return FileManager.default.currentDirectoryPath
    }()

    /// Every Swift file that a person wrote.
    static func swift() throws -> [SourceFile] {
        try files(below: ["Sources", "Tests"], ending: ".swift").filter { !$0.isGenerated }
    }

    static func markdown() throws -> [SourceFile] {
        let top = try FileManager.default.contentsOfDirectory(atPath: root)
            .filter { $0.hasSuffix(".md") }.map(read)
        return try top + files(below: ["docs"], ending: ".md")
    }

    private static func files(below folders: [String], ending: String) throws -> [SourceFile] {
        try folders.flatMap { folder -> [SourceFile] in
            let walk = FileManager.default.enumerator(atPath: root + "/" + folder)
            let names = (walk?.allObjects as? [String] ?? []).filter { $0.hasSuffix(ending) }
            return try names.sorted().map { try read(folder + "/" + $0) }
        }
    }

    static func read(_ path: String) throws -> SourceFile {
        let place = root + "/" + path
        return SourceFile(path: path, text: try String(contentsOfFile: place, encoding: .utf8))
    }
}
