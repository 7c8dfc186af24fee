import Foundation
import LinuxHost

/// Gives a directory for images to the body, and removes it afterwards.
func inDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
    let path = NSTemporaryDirectory() + "godwit-images-\(UUID().uuidString)"
    try SmallFile.makeDirectory(path)
    defer { try? SmallFile.remove(path) }
    return try body(path)
}
