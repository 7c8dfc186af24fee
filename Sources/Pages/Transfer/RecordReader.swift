import LinuxHost
import MigrationCore

/// A record as it arrived: its head is understood, its body is not.
struct Record {
    let kind: TransferFormat.Kind
    let coding: TransferFormat.Coding
    let head: ArraySlice<UInt8>
    let body: ArraySlice<UInt8>
}

/// Cuts a stream into records.
///
/// A record that came in one piece, as it does over Wire, is handed out without a copy; one that
/// came in several is put together in a buffer of `Limit.memoryRecord`, the only one here.
final class RecordReader {
    private let stream: any ByteStream
    private var chunk: ArraySlice<UInt8> = []

    init(_ stream: any ByteStream) { self.stream = stream }

    /// The next record; nil if the peer ended the stream before it.
    func next() async throws -> Record? {
        guard try await fill() else { return nil }
        let head = try await take(TransferFormat.headSize)
        var fields = Fields(head.dropFirst(2))
        guard let kind = head.first.flatMap(TransferFormat.Kind.init(rawValue:)),
            let coding = head.dropFirst().first.flatMap(TransferFormat.Coding.init(rawValue:)),
            try fields.u16() == 0, coding == .raw || kind == .pages
        else { throw TransferFormat.violation("has a record of an unknown kind") }
        let length = try fields.u32()
        guard length <= UInt32(TransferFormat.recordSize - TransferFormat.headSize) else {
            throw GodwitError(
                .limitExceeded, "the peer announces a record of \(length) bytes on a memory stream")
        }
        let body = try await take(Int(length))
        return Record(kind: kind, coding: coding, head: head, body: body)
    }

    /// Exactly `count` bytes.
    func take(_ count: Int) async throws -> ArraySlice<UInt8> {
        precondition(count <= TransferFormat.recordSize)
        if count == 0 { return [] }
        _ = try await fill()
        if chunk.count >= count { return pop(count) }
        var whole: [UInt8] = []
        whole.reserveCapacity(count)
        while whole.count < count {
            guard try await fill() else {
                throw GodwitError(
                    .linkLost, "the peer ended the memory stream before it was complete")
            }
            whole += pop(min(chunk.count, count - whole.count))
        }
        return whole[...]
    }

    private func pop(_ count: Int) -> ArraySlice<UInt8> {
        defer { chunk = chunk.dropFirst(count) }
        return chunk.prefix(count)
    }

    /// Whether there is anything more.
    private func fill() async throws -> Bool {
        guard chunk.isEmpty else { return true }
        chunk = []
        guard let bytes = try await stream.read() else { return false }
        chunk = bytes[...]
        return !chunk.isEmpty
    }
}

extension RecordReader {
    /// What stands before the first record.
    func expectOpening(lane: Int, of lanes: Int) async throws {
        let opening = try await take(TransferFormat.openingSize)
        guard opening.starts(with: TransferFormat.magic) else {
            throw TransferFormat.violation("does not start with its mark")
        }
        var fields = Fields(opening.dropFirst(TransferFormat.magic.count))
        let version = try fields.u16()
        guard version == TransferFormat.version else {
            throw GodwitError(
                .peerIncompatible,
                "the peer's memory stream has version \(version), this host reads 1",
                remedy: "install the same version of godwit on both hosts")
        }
        let shift = try fields.u16()
        guard shift == UInt16(TransferFormat.pageShift) else {
            throw GodwitError(
                .peerIncompatible, "the two hosts have pages of different sizes")
        }
        guard try fields.u16() == UInt16(lane), try fields.u16() == UInt16(lanes) else {
            throw TransferFormat.violation("is not the one that it should be")
        }
    }

    /// The next record, which has to be there.
    func expect() async throws -> Record {
        guard let record = try await next() else {
            throw GodwitError(.linkLost, "the peer ended the memory stream before it was complete")
        }
        return record
    }
}

/// Runs one body for each stream at once. The first error, and cancellation, end all streams.
///
/// - Throws: `cancelled` if the caller was cancelled, else the first error that is more than the
///   consequence of another one.
func together<Value: Sendable>(
    _ streams: [any ByteStream], _ body: @escaping @Sendable (Int) async throws -> Value
) async throws -> [Value] {
    try await withThrowingTaskGroup(of: (Int, Value)?.self) { group in
        group.addTask {
            await untilCancelled()
            return nil
        }
        for index in streams.indices { group.addTask { (index, try await body(index)) } }
        var values: [Int: Value] = [:]
        do {
            while values.count < streams.count {
                guard let next = try await group.next(), let (index, value) = next else { break }
                values[index] = value
            }
        } catch {
            await end(streams)
            group.cancelAll()
            var reason = error
            while let result = await group.nextResult() {
                guard case .failure(let other) = result else { continue }
                if isConsequence(reason), !isConsequence(other) { reason = other }
            }
            throw Task.isCancelled ? cancelled : reason
        }
        group.cancelAll()
        guard values.count == streams.count else {
            await end(streams)
            throw cancelled
        }
        return streams.indices.compactMap { values[$0] }
    }
}

private let cancelled = GodwitError(.cancelled, "the transfer of memory was cancelled")

/// Whether it is what a stream says because somebody has ended it.
private func isConsequence(_ error: any Error) -> Bool {
    guard let error = error as? GodwitError else { return error is CancellationError }
    return error.code == .linkLost || error.code == .cancelled
}

private func end(_ streams: [any ByteStream]) async {
    for stream in streams { await stream.cancel() }
}
