import Foundation

/// docs/protocol.md, which must be true.
enum Book {
    static func text() throws -> String {
        try String(contentsOf: Repository.root.appending(path: "docs/protocol.md"), encoding: .utf8)
    }
}
