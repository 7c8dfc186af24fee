import LinuxHost
package import MigrationCore
import Synchronization

extension SharedPool: VolumeSending {
    package func sendWhileRunning(
        _ volume: String, by method: VolumeMethod, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        let owner = VolumeOwner(host: host, isOffered: method == .shared)
        try await telling(stream) {
            try requireOwn(volume)
            try owner.write(at: directory.layout.place(of: volume))
        }
        guard method == .shared else {
            staying.withLock { _ = $0.remove(volume) }
            return try await directory.sendWhileRunning(
                volume, by: method, over: stream, progress: progress)
        }
        staying.withLock { _ = $0.insert(volume) }
        try await show(volume, over: stream)
    }

    package func sendAgain(
        _ volume: String, by method: VolumeMethod, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        guard method == .shared else {
            return try await directory.sendAgain(
                volume, by: method, over: stream, progress: progress)
        }
        try await show(volume, over: stream)
    }

    /// What stays is always said to have: its last writes must have reached the other hosts.
    package func hasChanged(_ volume: String, mapped: Set<String>) async throws -> Bool {
        if stays(volume) { return true }
        return try await directory.hasChanged(volume, mapped: mapped)
    }

    package func sendAfterCheckpoint(
        _ volume: String, by method: VolumeMethod, mapped: Set<String>,
        over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        guard method == .shared else {
            return try await directory.sendAfterCheckpoint(
                volume, by: method, mapped: mapped, over: stream, progress: progress)
        }
        try await show(volume, over: stream)
    }

    /// Writes out what this host has changed, then something new that the target has to see.
    private func show(_ volume: String, over stream: any ByteStream) async throws {
        let token = try await telling(stream) {
            let layout = directory.layout
            if try !FilesystemFacts.of(layout.root).isLocal {
                try await FilesystemFacts.flush(at: layout.path(of: volume))
            }
            return try await makeToken(for: volume)
        }
        try await SessionNote.write(token, to: stream)
        var frames = SessionFrameReader(stream)
        switch try await frames.next() {
        case .end: try await stream.finish()
        case .failed(let failure): throw failure
        case .distrust, .data, .note: throw SessionFrame.nonsense("no answer about a token")
        }
    }

    /// The token of the last offer, also of one that was refused.
    package func cleanUpAfterSending(_ volume: String) async throws {
        _ = try directory.layout.usablePath(of: volume)
        staying.withLock { _ = $0.remove(volume) }
        try removeToken(of: volume)
        try await directory.cleanUpAfterSending(volume)
    }

    func stays(_ volume: String) -> Bool { staying.withLock { $0.contains(volume) } }
}

extension SharedPool: VolumeReceiving {
    package func receiveWhileRunning(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        guard method == .shared else {
            staying.withLock { _ = $0.remove(volume) }
            return try await directory.receiveWhileRunning(volume, by: method, from: stream)
        }
        staying.withLock { _ = $0.insert(volume) }
        try await look(for: volume, over: stream)
    }

    package func receiveAgain(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        guard method == .shared else {
            return try await directory.receiveAgain(volume, by: method, from: stream)
        }
        try await look(for: volume, over: stream)
    }

    package func receiveAfterCheckpoint(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        guard method == .shared else {
            return try await directory.receiveAfterCheckpoint(volume, by: method, from: stream)
        }
        try await look(for: volume, over: stream)
    }

    /// Nothing is written before custody, and nothing of the tree is read: what is kept in memory
    /// of it could be older than what the instance will find.
    private func look(for volume: String, over stream: any ByteStream) async throws {
        try await telling(stream) {
            var frames = SessionFrameReader(stream)
            let token: SharedToken = try await SessionNote.read(&frames)
            guard await sees(token, of: volume) else {
                throw GodwitError(
                    .volumeDiffers, "the volume \(volume) is not the one that the source writes to",
                    remedy: "mount the same filesystem at the sources of both pools")
            }
        }
        try await stream.write(SessionFrame.end.encoded[...])
        try await stream.finish()
    }

    package func cleanUpAfterReceiving(_ volume: String) async throws {
        _ = try directory.layout.usablePath(of: volume)
        staying.withLock { _ = $0.remove(volume) }
    }
}

extension SharedPool: VolumeDigesting {
    /// Of what stays on both hosts there is nothing to compare: each pass has shown that they see
    /// the same.
    package func digest(of volume: String, mapped: Set<String>) async throws -> String {
        if stays(volume) { return "shared" }
        return try await directory.digest(of: volume, mapped: mapped)
    }

    package func forgetDigest(of volume: String) async {
        await directory.forgetDigest(of: volume)
    }
}
