/// One move of a volume, by a driver or by plain rsync.
package struct StorageRow: Codable, Equatable, Sendable {
    package var driver: String
    package var way: String
    package var passed: Bool
    package var seconds: Double
    /// Both ways, all that travels.
    package var wireBytes: UInt64
    /// What had changed since the way before; all of it the first time.
    package var changedBytes: UInt64

    enum CodingKeys: String, CodingKey {
        case driver, passed, seconds
        case way = "case"
        case wireBytes = "wire_bytes"
        case changedBytes = "changed_bytes"
    }

    package init(
        driver: String, way: String, passed: Bool, seconds: Double, wireBytes: UInt64,
        changedBytes: UInt64
    ) {
        self.driver = driver
        self.way = way
        self.passed = passed
        self.seconds = seconds
        self.wireBytes = wireBytes
        self.changedBytes = changedBytes
    }
}

/// A container that has written records while it moved.
package struct WriterRow: Codable, Equatable, Sendable {
    package var driver: String
    package var passed: Bool
    package var moves: Int
    package var seconds: Double
    package var downtimeMilliseconds: Double
    /// The most of one move, of what was sent between the first pass and the freeze, and of what
    /// was left for after that; nil in files of earlier versions.
    package var passesBytes: UInt64?
    package var deltaBytes: UInt64?
    package var records: Int
    package var lost: Int
    package var doubled: Int
    package var torn: Int
    /// Files that are not what the container's memory says.
    package var differing: Int

    enum CodingKeys: String, CodingKey {
        case driver, passed, moves, seconds, records, lost, doubled, torn, differing
        case downtimeMilliseconds = "downtime_ms"
        case passesBytes = "passes_bytes"
        case deltaBytes = "delta_bytes"
    }

    package init(
        driver: String, moves: Int, seconds: Double, downtimeMilliseconds: Double,
        passesBytes: UInt64, deltaBytes: UInt64, records: Int, lost: Int, doubled: Int, torn: Int,
        differing: Int
    ) {
        self.driver = driver
        self.passesBytes = passesBytes
        self.deltaBytes = deltaBytes
        passed = records > 0 && lost + doubled + torn + differing == 0
        self.moves = moves
        self.seconds = seconds
        self.downtimeMilliseconds = downtimeMilliseconds
        self.records = records
        self.lost = lost
        self.doubled = doubled
        self.torn = torn
        self.differing = differing
    }
}
