import LinuxHost
package import MigrationCore
import Synchronization

extension LVMPool: VolumeSending {
    /// Blocks, if the target has nothing yet; else what differs, by rsync.
    package func sendWhileRunning(
        _ volume: String, by method: VolumeMethod, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        let root = try tree(of: volume)
        guard method == .lvm else {
            return try await passes.sendWhileRunning(
                volume, at: root, over: stream, progress: progress)
        }
        let (frames, note) = try await telling(stream) {
            var frames = SessionFrameReader(stream)
            let note = try await BlockNote.readFromTarget(&frames)
            return (frames, note)
        }
        guard note.isBlank else {
            return try await passes.sendWhileRunning(
                volume, at: root, over: stream, frames: frames, progress: progress)
        }
        let sent = Mutex<PassStart?>(nil)
        try await WritingEnd(stream: stream, frames: frames).run { [self] writer in
            let start = try await sendBlocks(of: volume, to: writer, progress: progress)
            sent.withLock { $0 = start }
        }
        if let start = sent.withLock({ $0 }) { passes.hasSent(volume, since: start) }
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

    /// By rsync: the target has the volume mounted.
    package func sendAfterCheckpoint(
        _ volume: String, by method: VolumeMethod, mapped: Set<String>,
        over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        try await passes.sendAfterCheckpoint(
            volume, at: tree(of: volume), mapped: mapped, over: stream,
            progress: progress)
    }

    package func cleanUpAfterSending(_ volume: String) async throws {
        passes.cleanUpAfterSending(volume)
    }

    /// The blocks of a snapshot, then those in which another one differs, as long as that pays. No
    /// snapshot is left, however it ends.
    ///
    /// - Returns: before the last one was made.
    private func sendBlocks(
        of volume: String, to writer: WritingEnd.Writer,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws -> PassStart {
        guard let origin = device(at: layout.place(of: volume)) else { throw missing(volume) }
        var held: [String] = []
        var start: PassStart
        do {
            var sending = BlockSending(writer: writer, progress: progress)
            repeat {
                start = PassStart()
                let mappings = try await hold(origin, &held)
                try await sending.send(mappings, of: thin.path(of: held[0]))
            } while sending.pays
        } catch {
            for name in held { try? await thin.remove(name) }
            throw error
        }
        for name in held { try? await thin.remove(name) }
        return start
    }

    /// Makes a snapshot and lets go of the one before: not earlier, as the pool would give its
    /// blocks to others, and blocks of the new one could look the same.
    private func hold(_ origin: String, _ held: inout [String]) async throws -> ThinMappings {
        let name = ThinPool.newName()
        held.append(name)
        try await thin.snapshot(name, of: origin, isReadOnly: true)
        if let earlier = held.first, earlier != name {
            try await thin.remove(earlier)
            held.removeFirst()
        }
        return try await thin.mappings(of: name)
    }
}

/// What has been sent of one volume, and what is to come.
private struct BlockSending {
    private let writer: WritingEnd.Writer
    private let progress: @Sendable (TransferProgress) -> Void
    private var earlier: ThinMappings?
    private var sizes: [ByteCount] = []
    private var sent = ByteCount.zero

    init(
        writer: WritingEnd.Writer, progress: @escaping @Sendable (TransferProgress) -> Void
    ) {
        self.writer = writer
        self.progress = progress
    }

    /// Whether another pass leaves clearly less for after the freeze.
    var pays: Bool {
        guard sizes.count < Self.most, let last = sizes.last, last > Self.little else {
            return false
        }
        return sizes.count == 1 || last.bytes < sizes[sizes.count - 2].bytes / 2
    }

    private static let most = 4
    private static let little = ByteCount.mebibytes(16)

    mutating func send(_ mappings: ThinMappings, of path: String) async throws {
        let device = try await blocking { try BlockDevice(path, isWritable: false) }
        let changes = mappings.changes(since: earlier)
        if earlier == nil {
            let note = BlockNote.FromSource(size: device.size, used: changes.size)
            try await writer.send(SessionNote.frame(note))
        }
        for blocks in changes.gone {
            let range = changes.place(of: blocks, within: device.size)
            if !range.isEmpty { try await send(.zeros(at: range)) }
        }
        for blocks in changes.changed {
            try await send(changes.place(of: blocks, within: device.size), of: device)
        }
        earlier = mappings
        sizes.append(changes.size)
    }

    /// Zeros are left out where the target has nothing else.
    private mutating func send(_ range: Range<UInt64>, of device: BlockDevice) async throws {
        let isFirst = earlier == nil
        for place in stride(from: range.lowerBound, to: range.upperBound, by: BlockRecord.largest) {
            let count = min(BlockRecord.largest, Int(range.upperBound - place))
            let records = try await blocking {
                BlockRecord.records(of: try device.read(at: place, count: count), at: place)
            }
            for record in records {
                if isFirst, case .zeros = record { continue }
                try await send(record)
            }
        }
    }

    private mutating func send(_ record: BlockRecord) async throws {
        let bytes = record.encoded
        try await writer.send(.data(bytes))
        sent += ByteCount(bytes: UInt64(bytes.count))
        progress(TransferProgress(sent: sent))
    }
}
