import MigrationCore

/// Reads what `thin_dump` writes of one volume, piece by piece as it comes.
///
///     <superblock … data_block_size="128" …>       in sectors of 512 bytes
///       <def name="7"> mappings </def>             what several volumes share, since 1.0.5
///       <device dev_id="1" mapped_blocks="4" …>
///         <ref name="7"/>
///         <range_mapping origin_begin="0" data_begin="9" length="3" time="0"/>
///         <single_mapping origin_block="5" data_block="2" time="1"/>
///       </device>
///     </superblock>
///
/// Whatever the text says, what comes of it is in order and adds up to what it announces.
package struct ThinDumpReader: Sendable {
    private enum Place: Equatable, Sendable {
        case outside, superblock, shared(String), device, end
    }

    private let id: UInt32
    private var tag: [UInt8]?
    private var place = Place.outside
    private var sectors: UInt64 = 0
    private var announced: UInt64?
    private var runs: [ThinRun] = []
    private var shared: [String: [ThinRun]] = [:]
    private var total = 0

    package init(of id: UInt32) { self.id = id }

    /// - Throws: `toolFailed` for what is no such text, `limitExceeded`.
    package mutating func take(_ bytes: [UInt8]) throws {
        for byte in bytes {
            if byte == UInt8(ascii: "<") {
                guard tag == nil else { throw Self.nonsense("a tag within a tag") }
                tag = []
            } else if byte == UInt8(ascii: ">"), let whole = tag {
                tag = nil
                try take(Tag(whole))
            } else if tag != nil {
                tag?.append(byte)
                guard tag.map(\.count) ?? 0 <= Self.longestTag else {
                    throw Self.nonsense("a tag without an end")
                }
            }
        }
    }

    /// - Throws: `toolFailed` if the text is not whole.
    package func finish() throws -> ThinMappings {
        guard place == .end, let announced else { throw Self.nonsense("less than a whole") }
        let found = runs.reduce(UInt64(0)) { $0 &+ $1.count }
        guard found == announced else {
            throw Self.nonsense("\(found) of \(announced) blocks")
        }
        return ThinMappings(block: ByteCount(bytes: sectors * 512), runs: runs)
    }

    private mutating func take(_ tag: Tag) throws {
        switch (place, tag.name) {
        case (.outside, "superblock"):
            sectors = try tag.number("data_block_size")
            // The kernel's own bounds: 64 KiB to 1 GiB.
            guard (128...2_097_152).contains(sectors), sectors % 128 == 0 else {
                throw Self.nonsense("blocks of \(sectors) sectors")
            }
            place = .superblock
        case (.superblock, "def"): place = .shared(try tag.word("name"))
        case (.shared, "/def"), (.device, "/device"): place = .superblock
        case (.superblock, "device"):
            guard try tag.number("dev_id") == UInt64(id), announced == nil else {
                throw Self.nonsense("another volume")
            }
            announced = try tag.number("mapped_blocks")
            place = .device
        case (.superblock, "/superblock"): place = .end
        case (_, "single_mapping"), (_, "range_mapping"): try add([tag.run()])
        case (.device, "ref"):
            guard let known = shared[try tag.word("name")] else {
                throw Self.nonsense("a reference to nothing")
            }
            try add(known)
        // A device without blocks may be written as one tag.
        default: throw Self.nonsense("<\(tag.name.prefix(40))> in the wrong place")
        }
        if tag.isWhole, place == .device, tag.name == "device" { place = .superblock }
    }

    private mutating func add(_ more: [ThinRun]) throws {
        total += more.count
        guard total <= Limit.thinRuns else {
            throw GodwitError(
                .limitExceeded, "a thin volume lies in more than \(Limit.thinRuns) pieces",
                remedy: "move it to a pool of another kind, which takes rsync")
        }
        switch place {
        case .device: try Self.append(more, to: &runs)
        case .shared(let name): try Self.append(more, to: &shared[name, default: []])
        case .outside, .superblock, .end: throw Self.nonsense("mappings of nothing")
        }
    }

    private static func append(_ more: [ThinRun], to runs: inout [ThinRun]) throws {
        var end = runs.last?.end ?? 0
        for run in more {
            guard run.begin >= end else { throw nonsense("blocks out of order") }
            end = run.end
        }
        runs += more
    }

    private static let longestTag = 1_024

    fileprivate static func nonsense(_ what: String) -> GodwitError {
        GodwitError(
            .toolFailed, "thin_dump wrote \(what)",
            remedy: "see whether thin-provisioning-tools are newer than this version of godwit")
    }
}

/// `name key="value" …`, with a slash behind it if it is whole.
private struct Tag {
    let name: String
    let isWhole: Bool
    private let words: [Substring]

    init(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        isWhole = text.hasSuffix("/")
        words = (isWhole ? text.dropLast() : text[...]).split(whereSeparator: \.isWhitespace)
        name = words.first.map(String.init) ?? ""
    }

    func word(_ key: String) throws -> String {
        let value = words.dropFirst().lazy.compactMap { word -> Substring? in
            guard word.hasPrefix(key + "=\""), word.hasSuffix("\"") else { return nil }
            return word.dropFirst(key.count + 2).dropLast()
        }.first
        guard let value else {
            throw ThinDumpReader.nonsense("<\(name.prefix(40))> without \(key)")
        }
        return String(value)
    }

    func number(_ key: String) throws -> UInt64 {
        guard let number = UInt64(try word(key)) else {
            throw ThinDumpReader.nonsense("\(key) that is no number")
        }
        return number
    }

    func run() throws -> ThinRun {
        let isRange = name == "range_mapping"
        let begin = try number(isRange ? "origin_begin" : "origin_block")
        let data = try number(isRange ? "data_begin" : "data_block")
        let count = isRange ? try number("length") : 1
        // 16 TiB in the smallest blocks are 2^28.
        let most: UInt64 = 1 << 40
        guard count > 0, max(begin, data, count) <= most else {
            throw ThinDumpReader.nonsense("blocks that cannot be")
        }
        return ThinRun(begin: begin, data: data, count: count)
    }
}
