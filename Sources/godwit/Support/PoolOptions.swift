import ArgumentParser
import MigrationCore

/// What a pool is made of, as the command line has it.
enum PoolOptions {
    /// `dir` is LXD's word.
    @Sendable static func kind(_ text: String) throws -> PoolKind {
        guard let kind = text == "dir" ? .directory : PoolKind(rawValue: text) else {
            let known = PoolKind.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("there is no driver \"\(text)\"; use one of \(known)")
        }
        return kind
    }

    /// Reads `source=…` and `size=…`.
    static func definition(
        name: String, kind: PoolKind, options: [String]
    ) throws -> PoolDefinition {
        var definition = PoolDefinition(name: name, kind: kind)
        for option in options {
            let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
            switch (parts.first, parts.count) {
            case ("source", 2): definition.source = parts[1]
            case ("size", 2): definition.size = try Read.size(parts[1])
            default: throw ValidationError("write source=… or size=…, not \"\(option)\"")
            }
        }
        try Read.told { try definition.validate() }
        return definition
    }
}
