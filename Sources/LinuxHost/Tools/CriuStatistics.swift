/// The figures of CRIU's `stats-dump` and `stats-restore`: times in milliseconds, and counts.
///
///     0        4        8        12
///     +--------+--------+--------+-----------------------------------+
///     | service| stats  | size   | stats_entry (protobuf), size bytes |   little-endian
///     +--------+--------+--------+-----------------------------------+
///
/// stats_entry holds in field 1 a dump's figures, in field 2 a restore's, all of them varints.
package enum CriuStatistics {
    /// - Returns: empty for bytes that are no such file; figures of unknown fields are left out.
    package static func parse(_ bytes: [UInt8]) -> [String: Double] {
        guard bytes.count >= 12, bytes.starts(with: magic) else { return [:] }
        var figures: [String: Double] = [:]
        for case .message(let field, let body) in CriuMessage.fields(of: bytes[12...]) ?? [] {
            let names = field == 1 ? dumpNames : field == 2 ? restoreNames : [:]
            for case .number(let number, let value, _) in CriuMessage.fields(of: body) ?? [] {
                guard let name = names[number] else { continue }
                figures[name] = Double(value) / (name.hasSuffix("_ms") ? 1000 : 1)
            }
        }
        return figures
    }

    private static let magic: [UInt8] = [0x40, 0x59, 0x10, 0x55, 0x06, 0x33, 0x09, 0x57]

    private static let dumpNames: [UInt64: String] = [
        1: "criu_freezing_ms", 2: "criu_frozen_ms", 3: "criu_memdump_ms", 4: "criu_memwrite_ms",
        5: "pages_scanned", 6: "pages_skipped", 7: "pages_written", 8: "criu_irmap_ms",
        9: "page_pipes", 10: "page_pipe_buffers", 11: "shared_pages_scanned",
        12: "shared_pages_skipped", 13: "shared_pages_written",
    ]

    private static let restoreNames: [UInt64: String] = [
        1: "pages_compared", 2: "pages_skipped", 3: "criu_forking_ms", 4: "criu_restore_ms",
        5: "pages_restored",
    ]
}
