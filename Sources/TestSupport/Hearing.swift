package import LinuxHost
import MigrationCore

/// Reads what the tool says next, in however many pieces it comes.
///
/// - Throws: `internalFault` if it says something else, or nothing more.
package func hears(_ text: String, from tool: ConversingTool) async throws {
    var heard: [UInt8] = []
    while heard.count < text.utf8.count {
        let piece = try await blocking { try tool.output.read(upTo: 100) }
        if piece.isEmpty { break }
        heard += piece
    }
    guard heard == Array(text.utf8) else {
        let words = String(decoding: heard, as: UTF8.self)
        throw GodwitError(.internalFault, "the tool says \"\(words)\" instead of \"\(text)\"")
    }
}
