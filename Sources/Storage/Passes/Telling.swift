import MigrationCore

/// Tells the other end if this one cannot even begin.
func telling<Value>(
    _ stream: any ByteStream, _ begin: () async throws -> Value
) async throws -> Value {
    do { return try await begin() } catch {
        if let error = error as? GodwitError {
            try? await stream.write(SessionFrame.failed(error).encoded[...])
            try? await stream.finish()
        } else {
            await stream.cancel()
        }
        throw error
    }
}

extension GodwitError {
    /// What one end tells the other of any error.
    static func told(_ error: any Error) -> GodwitError {
        error as? GodwitError
            ?? GodwitError(
                error is CancellationError ? .cancelled : .internalFault,
                "a pass of a volume ended early", remedy: "move the instance again",
                cause: "\(error)")
    }
}
