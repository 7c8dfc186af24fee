package import LinuxHost
package import MigrationCore

/// The two halves of a pass, between volumes that are directories on both hosts.
package enum RsyncTransfer {
    /// Sends the tree.
    ///
    /// - Parameters:
    ///   - distrusted: paths below it whose content is compared although size and modification time
    ///     may be equal.
    ///   - places: all that is looked at (`TreeChanges.places`); nil for the whole tree.
    ///   - keepsParts: as `Rsync.send`; for a target that has nothing.
    ///   - frames: what has been read of the stream already.
    /// - Returns: whether the target has the tree as it was when the transfer began, but for what
    ///   has changed since; a tolerant one may have to leave more out.
    @discardableResult
    package static func send(
        _ root: String, distrusting distrusted: [[UInt8]], places: [[UInt8]]? = nil,
        keepsParts: Bool = false, tolerant: Bool, over stream: any ByteStream,
        frames: SessionFrameReader? = nil,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws -> Bool {
        try await sendPart(
            root, distrusting: distrusted, places: places, keepsParts: keepsParts,
            tolerant: tolerant, over: stream, after: frames ?? SessionFrameReader(stream),
            isLast: true, progress: progress
        ).isWhole
    }

    /// Sends one tree of several over one stream.
    ///
    /// - Parameters:
    ///   - frames: what may have been read of the stream already.
    ///   - isLast: whether the stream ends with it.
    /// - Returns: what is to be read next, and as above.
    static func sendPart(
        _ root: String, distrusting distrusted: [[UInt8]], places: [[UInt8]]? = nil,
        keepsParts: Bool = false, tolerant: Bool, over stream: any ByteStream,
        after frames: SessionFrameReader,
        isLast: Bool, progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws -> (rest: SessionFrameReader, isWhole: Bool) {
        let isPartial = Flag()
        let tool = try await telling(stream) {
            // With a tolerant pass, a tree that is gone would count as one whose files are.
            guard try FileStatus.of(root)?.kind == .directory else {
                throw GodwitError(.notFound, "there is no volume at \(root)")
            }
            for frame in Self.frames(for: distrusted) { try await stream.write(frame.encoded[...]) }
            return try ConversingTool.start(
                Rsync.send(root, isListed: places != nil, keepsParts: keepsParts),
                ends: .threeAndFour, input: places.map(Rsync.list))
        }
        let rest = try await ToolSession(
            tool: tool, stream: stream, frames: frames,
            progress: { progress(TransferProgress(sent: $0)) },
            isLast: isLast,
            conclude: { status, said in
                if Rsync.isPartial(status) { isPartial.raise() }
                return Rsync.failure(status, said: said, tolerant: tolerant)
            }
        ).run()
        return (rest, !isPartial.isRaised)
    }

    /// Receives into the tree; only below it, whatever the other end says.
    ///
    /// - Parameters:
    ///   - frames: what may have been read of the stream already.
    ///   - view: of the tree, through which its files have the source's ids.
    ///   - settle: what is left to be done here once rsync is content; the source learns of its
    ///     failure, too.
    package static func receive(
        into root: String, through view: IDMappedTree? = nil, tolerant: Bool,
        from stream: any ByteStream, after frames: SessionFrameReader? = nil,
        settle: @escaping @Sendable () async throws -> Void = {}
    ) async throws {
        _ = try await receivePart(
            into: root, through: view, tolerant: tolerant, from: stream,
            after: frames ?? SessionFrameReader(stream), isLast: true, finished: settle)
    }

    /// Receives one tree of several over one stream.
    ///
    /// - Parameter finished: what is to be done with the tree before the other end is told that all
    ///   went well.
    static func receivePart(
        into root: String, through view: IDMappedTree? = nil, tolerant: Bool,
        from stream: any ByteStream, after frames: SessionFrameReader, isLast: Bool,
        finished: @escaping @Sendable () async throws -> Void
    ) async throws -> SessionFrameReader {
        let tool = try await telling(stream) {
            let held = Descriptor.path(ConversingTool.heldNumber)
            let configuration = try Rsync.configuration(volume: view == nil ? root : held)
            return try ConversingTool.start(
                Rsync.receive(), extra: configuration, held: view?.descriptor)
        }
        return try await ToolSession(
            tool: tool, stream: stream, frames: frames, endsGently: true,
            distrust: { try await TreeChanges.distrust($0, below: root) },
            isLast: isLast,
            conclude: { status, said in
                if let failure = Rsync.failure(status, said: said, tolerant: tolerant) {
                    return failure
                }
                do { try await finished() } catch { return .told(error) }
                return nil
            }
        ).run()
    }

    /// Paths in frames that hold as many as they can.
    private static func frames(for paths: [[UInt8]]) -> [SessionFrame] {
        var frames: [SessionFrame] = []
        var part: [[UInt8]] = []
        var size = 0
        for path in paths {
            if size + path.count + 1 > SessionFrame.largestPayload {
                frames.append(.distrust(part))
                part = []
                size = 0
            }
            part.append(path)
            size += path.count + 1
        }
        return part.isEmpty ? frames : frames + [.distrust(part)]
    }
}
