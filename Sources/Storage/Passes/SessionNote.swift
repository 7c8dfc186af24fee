import Foundation
import MigrationCore

/// What the two ends of a pass say to each other before data, as JSON in one frame.
enum SessionNote {
    static func write(_ note: some Encodable, to stream: any ByteStream) async throws {
        try await stream.write(try frame(note).encoded[...])
    }

    static func frame(_ note: some Encodable) throws -> SessionFrame {
        let bytes = Array(try JSONEncoder().encode(note))
        precondition(bytes.count <= Int(Limit.passNote.bytes), "a note of \(bytes.count) bytes")
        return .note(bytes)
    }

    /// - Throws: what the peer says instead of a note.
    static func read<Note: Decodable>(
        _ frames: inout SessionFrameReader
    ) async throws -> Note {
        switch try await frames.next() {
        case .note(let bytes):
            guard let note = try? JSONDecoder().decode(Note.self, from: Data(bytes)) else {
                throw SessionFrame.nonsense("a note that cannot be read")
            }
            return note
        case .failed(let failure): throw failure
        case .distrust, .data, .end: throw SessionFrame.nonsense("no note")
        }
    }
}
