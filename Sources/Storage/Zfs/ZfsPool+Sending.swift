import LinuxHost
package import MigrationCore
import Synchronization

extension ZfsPool: VolumeSending {
    package func sendWhileRunning(
        _ volume: String, by method: VolumeMethod, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        let root = try tree(of: volume)
        var frames = SessionFrameReader(stream)
        if method == .zfs {
            let pass = try await telling(stream) {
                try await begin(volume, &frames, over: stream)
            }
            if let pass {
                return try await send(pass, of: volume, over: stream, after: frames, progress)
            }
        }
        try await passes.sendWhileRunning(
            volume, at: root, over: stream, frames: frames, progress: progress)
    }

    package func sendAgain(
        _ volume: String, by method: VolumeMethod, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        try await passes.sendAgain(
            volume, at: tree(of: volume), over: stream, progress: progress)
    }

    package func hasChanged(_ volume: String, mapped: Set<String>) async throws -> Bool {
        try await passes.hasChanged(volume, at: tree(of: volume), mapped: mapped)
    }

    /// By rsync whatever the method: a dataset that receives a stream loses its mount, which the
    /// target has begun to use.
    package func sendAfterCheckpoint(
        _ volume: String, by method: VolumeMethod, mapped: Set<String>,
        over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        try await passes.sendAfterCheckpoint(
            volume, at: tree(of: volume), mapped: mapped, over: stream, progress: progress)
    }

    package func cleanUpAfterSending(_ volume: String) async throws {
        _ = try layout.usablePath(of: volume)
        passes.cleanUpAfterSending(volume)
        try await cleanUp(volume)
    }

    /// But for the snapshot of a first pass that broke and may go on.
    func cleanUp(_ volume: String) async throws {
        try await removePasses(of: volume, except: broken.withLock { $0[volume]?.pass.name })
        try await removeViews(try await survey(volume), of: volume)
    }

    /// - Returns: the snapshot that is to be sent, of which the target has been told; nil if rsync
    ///   is better, of which it has been told, too.
    private func begin(
        _ volume: String, _ frames: inout SessionFrameReader, over stream: any ByteStream
    ) async throws -> ZfsPass? {
        let target = try await ZfsNote.readFromTarget(&frames)
        if let rest = try await rest(of: volume, for: target.token) {
            try await SessionNote.write(ZfsNote.FromSource(snapshot: rest.note), to: stream)
            return rest
        }
        try await forgetBrokenPass(of: volume)
        let base = try await survey(volume).snapshots(of: ZfsNames.head)
            .last { $0.guid == target.newest }
        guard base != nil || target.takesWhole else {
            try await SessionNote.write(ZfsNote.FromSource(), to: stream)
            return nil
        }
        let isModern = await tools.isModern()
        let start = PassStart()
        let name = ZfsNames.newPass()
        let path = "\(names.head(of: volume))@\(name)"
        try await take(path, of: volume)
        guard let guid = try await tools.values(["guid"], of: path)?.first else {
            throw GodwitError(.internalFault, "the snapshot \(path) has gone")
        }
        let pass = ZfsPass(
            name: name, path: path, guid: guid, base: base.map { ($0.path, $0.guid) },
            isCompressed: isModern && target.isCompressed, start: start)
        try await SessionNote.write(ZfsNote.FromSource(snapshot: pass.note), to: stream)
        return pass
    }

    /// A snapshot that has not arrived whole is removed, unless it may go on; one that has takes
    /// the place of those before.
    private func send(
        _ pass: ZfsPass, of volume: String, over stream: any ByteStream,
        after frames: SessionFrameReader,
        _ progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        do {
            let tool = try await telling(stream) {
                try ConversingTool.start(
                    pass.token.map(tools.zfs.send(resuming:))
                        ?? tools.zfs.send(
                            pass.path, since: pass.base?.path, isCompressed: pass.isCompressed))
            }
            try await ToolSession(
                tool: tool, stream: stream, frames: frames, noticesEnd: false,
                progress: { progress(TransferProgress(sent: $0)) },
                conclude: { Zfs.failure($0, said: $1) }
            ).run()
            try await removePasses(of: volume, except: pass.name)
        } catch {
            if pass.canGoOn(after: error) {
                broken.withLock { $0[volume] = BrokenPass(pass: pass, since: .now()) }
            } else {
                await afterFailure { [tools] in try await tools.run(tools.zfs.destroy(pass.path)) }
            }
            throw error
        }
        passes.hasSent(volume, since: pass.start)
    }
}

/// One snapshot on its way.
struct ZfsPass: Sendable {
    let name: String
    let path: String
    let guid: String
    let base: (path: String, guid: String)?
    let isCompressed: Bool
    /// Before the snapshot was made.
    let start: PassStart
    /// Of the target, where only the rest is to be sent.
    var token: String?

    var note: ZfsNote.FromSource.Snapshot {
        ZfsNote.FromSource.Snapshot(
            name: name, guid: guid, base: base?.guid, isResumed: token.map { _ in true })
    }
}
