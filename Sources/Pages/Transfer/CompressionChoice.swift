package import MigrationCore

/// Decides record by record whether compressing gets pages over sooner, from what it measures.
///
/// A record takes the longer of two times: what this host does with it (reading, and compressing if
/// it does) and what the link needs for its bytes. The link's speed can only be seen while it holds
/// the writer up; while it does not, the guess rises, so that a link that has become fast is
/// noticed.
package struct CompressionChoice: Sendable {
    private let mode: MemoryOptions.Compression
    private(set) var isOn: Bool
    /// Bytes a second of the link, of reading, and of the compressor; nil before the first measure.
    private(set) var link: Double?
    private var reading: Double?
    private var compressing: Double?
    /// Compressed size as a part of the original.
    private(set) var ratio = 1.0
    private var sinceSample = 0

    /// One record in so many is compressed for the measure's sake alone.
    private static let sampleEvery = 32
    private static let weight = 0.25
    /// Neither way is left for the other for less than this.
    private static let advantage = 1.15
    /// What may be compressed less than this is sent as it is.
    package static let worthwhile = 0.9

    package init(_ mode: MemoryOptions.Compression) {
        self.mode = mode
        isOn = mode == .always
    }

    /// Whether the next record is to be compressed: because it pays, or to see how well it would.
    package mutating func compressesNext() -> Bool {
        guard mode == .measured else { return mode == .always }
        sinceSample += 1
        guard isOn || compressing == nil || sinceSample >= Self.sampleEvery else { return false }
        sinceSample = 0
        return true
    }

    package mutating func compressed(_ bytes: Int, to size: Int, in seconds: Double) {
        compressing = Self.blend(compressing, Double(bytes) / max(seconds, 1e-9))
        ratio = Self.blend(ratio, min(1, Double(size) / Double(max(bytes, 1))))
    }

    /// - Parameter bytes: content of the record before it was compressed.
    /// - Parameter sent: bytes that were written.
    /// - Parameter reading: seconds from the last record to the beginning of the write, without
    ///   those of compressing.
    package mutating func wrote(
        _ bytes: Int, sent: Int, reading seconds: Double, compressing: Double, writing: Double
    ) {
        guard mode == .measured, bytes > 0 else { return }
        reading = Self.blend(reading, Double(bytes) / max(seconds, 1e-9))
        let whole = max(seconds + compressing + writing, 1e-9)
        let seen = Double(sent) / whole
        // Held up for a third of the time: the link was busy all along.
        let isBusy = writing > whole / 3
        link = isBusy ? Self.blend(link, seen) : max((link ?? seen) * 1.05, seen)
        decide()
    }

    private mutating func decide() {
        guard let link, let reading, let compressing else { return }
        let raw = min(link, reading)
        let packed = min(link / ratio, 1 / (1 / reading + 1 / compressing))
        if isOn {
            isOn = raw < packed * Self.advantage && ratio < Self.worthwhile
        } else {
            isOn = packed > raw * Self.advantage && ratio < Self.worthwhile
        }
    }

    private static func blend(_ old: Double?, _ new: Double) -> Double {
        old.map { $0 + (new - $0) * weight } ?? new
    }
}
