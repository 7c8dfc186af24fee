import LinuxHost
package import MigrationCore

extension OverlayPool: VolumeReceiving {
    package func receiveWhileRunning(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        guard method == .overlay else {
            let root = try await telling(stream) { try tree(of: volume) }
            return try await RsyncTransfer.receive(
                into: root, through: passes.ids.view(of: volume), tolerant: true, from: stream)
        }
        let (layers, first) = try await telling(stream) {
            _ = try layout.usablePath(of: volume)
            var frames = SessionFrameReader(stream)
            return (try await OverlayNote.readOffer(&frames), frames)
        }
        let missing = try await telling(stream) { try shelf.hold(layers) }
        defer { shelf.release(layers) }
        try await OverlayNote.ask(for: missing, over: stream)
        do {
            var frames = first
            for layer in missing {
                frames = try await receive(layer, from: stream, after: frames)
            }
            try await receiveChanges(of: volume, over: layers, from: stream, after: frames)
        } catch {
            await afterFailure { [self] in try await settle(volume, over: layers) }
            throw error
        }
    }

    /// Makes a volume of what has come: as far as it had layers none before, over those that are
    /// here.
    private func settle(_ volume: String, over layers: [BlobDigest]) async throws {
        if try changes(of: volume).layers.isEmpty {
            try await put(volume, over: try layers.filter { try shelf.has($0) })
        }
        try await mount(volume)
    }

    /// A layer is what it is called, or it is none.
    private func receive(
        _ layer: BlobDigest, from stream: any ByteStream, after frames: SessionFrameReader
    ) async throws -> SessionFrameReader {
        let draft = try await telling(stream) { try shelf.makeDraft() }
        do {
            return try await RsyncTransfer.receivePart(
                into: "\(draft)/tree", tolerant: false, from: stream, after: frames,
                isLast: false
            ) { [shelf] in
                shelf.release([try await shelf.keep(draft, as: layer)])
            }
        } catch {
            try? await shelf.remove(draft: draft)
            throw error
        }
    }

    /// While nothing is mounted upon them: what is changed below a mount need not be seen.
    private func receiveChanges(
        of volume: String, over layers: [BlobDigest], from stream: any ByteStream,
        after frames: SessionFrameReader
    ) async throws {
        try await telling(stream) {
            passes.forgetDigest(of: volume)
            try await put(volume, over: layers)
        }
        _ = try await RsyncTransfer.receivePart(
            into: changes(of: volume).upper, tolerant: true, from: stream, after: frames,
            isLast: true
        ) { [self] in try await mount(volume) }
    }

    package func receiveAgain(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        let root = try await telling(stream) { try tree(of: volume) }
        try await RsyncTransfer.receive(
            into: root, through: passes.ids.view(of: volume), tolerant: true, from: stream)
    }

    package func receiveAfterCheckpoint(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        let root = try await telling(stream) { try tree(of: volume) }
        try await RsyncTransfer.receive(
            into: root, through: passes.ids.view(of: volume), tolerant: false, from: stream)
    }

    /// Layers of a pass that was repeated may have been left.
    package func cleanUpAfterReceiving(_ volume: String) async throws {
        _ = try layout.usablePath(of: volume)
        passes.ids.forget(volume)
        try await sweep()
    }
}

extension OverlayPool: VolumeIDChanging {
    package func expectIDs(_ change: IDChange, in volume: String) async throws {
        try await passes.ids.expect(change, in: volume, at: tree(of: volume))
    }

    package func settleIDs(of volume: String) async throws {
        try await passes.ids.settle(volume, at: tree(of: volume))
    }
}
