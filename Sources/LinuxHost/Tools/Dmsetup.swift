package import MigrationCore

/// All that is asked of `dmsetup`: how a thin pool is, and to keep its metadata readable.
package enum Dmsetup {
    package static func status(of device: String) -> Command {
        Command("dmsetup", ["status", device], environment: plain)
    }

    /// Holds the metadata as they are now, for tools to read while the pool goes on.
    package static func reserveMetadata(of device: String) -> Command {
        message("reserve_metadata_snap", to: device)
    }

    package static func releaseMetadata(of device: String) -> Command {
        message("release_metadata_snap", to: device)
    }

    /// What device-mapper calls a volume of LVM: in each part of the name a dash is doubled.
    package static func name(group: String, volume: String) -> String {
        [group, volume].map { $0.split(separator: "-", omittingEmptySubsequences: false) }
            .map { $0.joined(separator: "--") }.joined(separator: "-")
    }

    private static func message(_ text: String, to device: String) -> Command {
        Command("dmsetup", ["message", device, "0", text], environment: plain)
    }

    private static let plain = ["LC_ALL": "C"]
}

/// What the kernel says of a thin pool (Documentation/admin-guide/device-mapper).
package struct ThinPoolStatus: Equatable, Sendable {
    package let size: ByteCount
    package let available: ByteCount
    /// From 0 to 1.
    package let metadataUsed: Double
    /// Whether it takes writes.
    package let isWritable: Bool

    /// - Parameter text: `0 1048576 thin-pool 3 14/2048 120/4096 - rw …`; nil for another one, also
    ///   for a pool that has failed.
    package init?(_ text: String) {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count >= 8, words[2] == "thin-pool", let sectors = UInt64(words[1]),
            let metadata = Self.share(words[4]), let data = Self.share(words[5]),
            data.total > 0, metadata.total > 0, sectors <= UInt64.max / 512
        else { return nil }
        size = ByteCount(bytes: sectors * 512)
        // Blocks are of one size; the pool has a whole number of them.
        available = ByteCount(bytes: sectors / data.total * 512 * (data.total - data.used))
        metadataUsed = Double(metadata.used) / Double(metadata.total)
        isWritable = words[7] == "rw"
    }

    private static func share(_ word: Substring) -> (used: UInt64, total: UInt64)? {
        let numbers = word.split(separator: "/").compactMap { UInt64($0) }
        guard numbers.count == 2, numbers[0] <= numbers[1] else { return nil }
        return (numbers[0], numbers[1])
    }
}
