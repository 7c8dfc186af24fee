package import LinuxHost
import MigrationCore

/// What the tool says next, in however many pieces it comes.
///
/// - Throws: `toolFailed` if it says less.
package func hear(_ count: Int, from tool: ConversingTool) async throws -> [UInt8] {
    var heard: [UInt8] = []
    while heard.count < count {
        let missing = count - heard.count
        let piece = try await blocking { try tool.output.read(upTo: missing) }
        guard !piece.isEmpty else {
            throw GodwitError(
                .toolFailed, "the tool has ended",
                cause: "it said \"\(String(decoding: heard, as: UTF8.self))\"")
        }
        heard += piece
    }
    return heard
}

/// Waits until the tool has said the text.
///
/// - Throws: `internalFault` if it says something else, `toolFailed` if it says less.
package func hears(_ text: String, from tool: ConversingTool) async throws {
    let heard = try await hear(text.utf8.count, from: tool)
    guard heard == Array(text.utf8) else {
        let words = String(decoding: heard, as: UTF8.self)
        throw GodwitError(.internalFault, "the tool says \"\(words)\" instead of \"\(text)\"")
    }
}
