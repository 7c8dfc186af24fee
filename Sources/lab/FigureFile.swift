import Foundation

/// Figures for programs, beside the tables for people.
func writeFigures(_ figures: some Encodable, to output: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let place = URL(filePath: output)
    try FileManager.default.createDirectory(
        at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
    try (encoder.encode(figures) + Data("\n".utf8)).write(to: place)
}
