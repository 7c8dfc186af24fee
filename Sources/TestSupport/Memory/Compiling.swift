import Foundation
import LinuxHost

/// Compiles a C program that then needs no library, so that it runs in any root filesystem.
func compile(_ source: String, to path: String) async throws {
    let text = path + ".c"
    try Data((source + "\n").utf8).write(to: URL(filePath: text))
    defer { try? FileManager.default.removeItem(atPath: text) }
    try await Command("cc", ["-O2", "-static", "-pthread", "-o", path, text]).check()
}
