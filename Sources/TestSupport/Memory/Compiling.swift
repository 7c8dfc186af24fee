import Foundation
import LinuxHost

/// Compiles a C program that then needs no library, so that it runs in any root filesystem, unless
/// it is to have the mappings of one that does.
package func compile(_ source: String, to path: String, isStatic: Bool = true) async throws {
    let text = path + ".c"
    try Data((source + "\n").utf8).write(to: URL(filePath: text))
    defer { try? FileManager.default.removeItem(atPath: text) }
    try await Command("cc", ["-O2", "-pthread", "-o", path, text] + (isStatic ? ["-static"] : []))
        .check()
}
