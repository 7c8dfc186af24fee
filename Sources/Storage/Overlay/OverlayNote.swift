import MigrationCore

/// What the two ends of a first pass by overlay say before trees travel, as JSON: the source which
/// layers lie below the volume, the lowest first, then the target which of them it lacks.
///
/// The missing layers follow in that order, each in a session of its own, then the changes.
enum OverlayNote {
    private struct FromSource: Codable { var layers: [BlobDigest] }
    private struct FromTarget: Codable { var missing: [BlobDigest] }

    /// - Returns: what the target lacks.
    static func offer(
        _ layers: [BlobDigest], over stream: any ByteStream, _ frames: inout SessionFrameReader
    ) async throws -> [BlobDigest] {
        try await SessionNote.write(FromSource(layers: layers), to: stream)
        let note: FromTarget = try await SessionNote.read(&frames)
        guard note.missing == layers.filter(Set(note.missing).contains) else {
            throw SessionFrame.nonsense("layers that were not offered")
        }
        return note.missing
    }

    static func readOffer(_ frames: inout SessionFrameReader) async throws -> [BlobDigest] {
        let note: FromSource = try await SessionNote.read(&frames)
        guard note.layers.count <= Limit.overlayLayers, Set(note.layers).count == note.layers.count
        else { throw SessionFrame.nonsense("layers that cannot be") }
        return note.layers
    }

    static func ask(for missing: [BlobDigest], over stream: any ByteStream) async throws {
        try await SessionNote.write(FromTarget(missing: missing), to: stream)
    }
}
