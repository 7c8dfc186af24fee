import LinuxHost
import MigrationCore

/// The target's end of a delta, which it applies itself.
struct DeltaSession: Sendable {
    private let end: ApplyingEnd
    private let begin: @Sendable (PassNote.FromSource) async throws -> SendStreamApplier
    private let finished: @Sendable (PassNote.FromSource) -> Void

    init(
        stream: any ByteStream,
        begin: @escaping @Sendable (PassNote.FromSource) async throws -> SendStreamApplier,
        finished: @escaping @Sendable (PassNote.FromSource) -> Void
    ) {
        end = ApplyingEnd(stream: stream)
        self.begin = begin
        self.finished = finished
    }

    /// Returns when the source has been told. Cancelling the task cancels the stream.
    func run() async throws {
        try await end.run { frames in
            let note = try await PassNote.readFromSource(&frames)
            let applier = try await begin(note)
            while let bytes = try await ApplyingEnd.data(&frames) {
                try await blocking { try applier.apply(bytes) }
            }
            try await blocking { try applier.finish(modified: note.modified) }
            finished(note)
        }
    }
}
