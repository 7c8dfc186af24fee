import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Which blocks a thin pool keeps for a volume, and in which two volumes differ.
@Suite struct ThinMappingsTests {
    private func mappings(_ runs: (begin: UInt64, data: UInt64, count: UInt64)...) -> ThinMappings {
        ThinMappings(
            block: .kibibytes(64),
            runs: runs.map { ThinRun(begin: $0.begin, data: $0.data, count: $0.count) })
    }

    private func read(_ text: String, of id: UInt32 = 1, inPiecesOf size: Int = 7) throws
        -> ThinMappings
    {
        var reader = ThinDumpReader(of: id)
        let bytes = Array(text.utf8)
        for begin in stride(from: 0, to: bytes.count, by: size) {
            try reader.take(Array(bytes[begin..<min(begin + size, bytes.count)]))
        }
        return try reader.finish()
    }

    /// As 0.9.0 writes it.
    private static let old = """
        <superblock uuid="" time="1" transaction="3" flags="0" version="2" data_block_size="128" nr_data_blocks="4096">
          <device dev_id="1" mapped_blocks="6" transaction="0" creation_time="0" snap_time="1">
            <range_mapping origin_begin="0" data_begin="9" length="3" time="0"/>
            <single_mapping origin_block="5" data_block="2" time="1"/>
            <range_mapping origin_begin="8" data_begin="20" length="2" time="1"/>
          </device>
        </superblock>

        """
    /// As 1.0.5 and newer may write it.
    private static let new = """
        <superblock uuid="" time="1" transaction="3" version="2" data_block_size="128" nr_data_blocks="4096">
          <def name="7">
            <range_mapping origin_begin="0" data_begin="9" length="3" time="0"/>
          </def>
          <device dev_id="1" mapped_blocks="6" transaction="0" creation_time="0" snap_time="1">
            <ref name="7"/>
            <single_mapping origin_block="5" data_block="2" time="1"/>
            <range_mapping origin_begin="8" data_begin="20" length="2" time="1"/>
          </device>
        </superblock>
        """

    @Test(arguments: [old, new], [1, 7, 100_000])
    func `what thin_dump says of a volume is read, in whatever pieces`(
        text: String, size: Int
    ) throws {
        #expect(
            try read(text, inPiecesOf: size) == mappings((0, 9, 3), (5, 2, 1), (8, 20, 2)))
    }

    @Test func `a volume without a block has none`() throws {
        let text = """
            <superblock data_block_size="256"><device dev_id="1" mapped_blocks="0"/></superblock>
            """
        let none = try read(text)
        #expect(none.runs.isEmpty && none.block == .kibibytes(128))
    }

    @Test(arguments: [
        ("", ""), ("</superblock>", ""), (#"dev_id="1""#, #"dev_id="2""#), ("\"6\"", "\"7\""),
        (#"data_block_size="128""#, #"data_block_size="100""#), ("length=\"3\"", "length=\"6\""),
        ("length=\"3\"", "length=\"0\""), ("origin_block=\"5\"", "origin_block=\"-5\""),
        ("origin_block=\"5\"", "origin_block=\"1\""), (" data_block=\"2\"", ""),
        ("length=\"3\"", "length=\"18446744073709551615\""), ("single_", "double_"),
        ("<single", "<<single"), ("</device>", ""), ("<device", "<single_mapping"),
        ("time=\"1\"", String(repeating: "x", count: 5_000)), (#"<ref name="7"/>"#, #"<ref/>"#),
        (#"<def name="7">"#, #"<def name="8">"#),
    ])
    func `what is not whole, or in no order, is refused`(word: String, other: String) throws {
        for text in [Self.old, Self.new] where word.isEmpty || text.contains(word) {
            let bad =
                word.isEmpty ? "" : text.replacing(word, with: other, maxReplacements: 1)
            #expect(throws: GodwitError(.toolFailed, "")) { try read(bad) }
        }
    }

    @Test func `mutated texts end in an error of ours or as mappings in order`() throws {
        var whole = 0
        for seed in UInt64(0)..<20_000 {
            var random = SplitMix64(seed: seed)
            var bytes = Array((random.chance(500) ? Self.old : Self.new).utf8)
            for _ in 0...random.below(4) {
                let place = random.below(bytes.count)
                switch random.below(4) {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(UInt8(0x30 + random.below(10)), at: place)
                default: bytes.removeSubrange(place..<min(place + random.below(40), bytes.count))
                }
            }
            var reader = ThinDumpReader(of: 1)
            do {
                try reader.take(bytes)
                let found = try reader.finish()
                #expect(found.runs.reduce(0) { $0 + $1.count } < 1 << 50, "seed \(seed)")
                whole += 1
            } catch let error as GodwitError {
                #expect([.toolFailed, .limitExceeded].contains(error.code), "seed \(seed)")
            }
        }
        #expect((1..<19_000).contains(whole))
    }

    @Test func `blocks that lie elsewhere in the pool have changed`() {
        let earlier = mappings((0, 0, 10), (20, 50, 5))
        // One in the middle was written, one is new behind the end, some were given back.
        let later = mappings((0, 0, 5), (5, 90, 1), (6, 6, 6), (22, 52, 3))
        let changes = later.changes(since: earlier)
        #expect(changes.changed == [5..<6, 10..<12])
        #expect(changes.gone == [20..<22])
        #expect(changes.size == .kibibytes(3 * 64))
        #expect(later.changes(since: nil).changed == [0..<12, 22..<25])
        #expect(later.changes(since: later).changed == [])
        #expect(changes.place(of: 10..<12, within: .kibibytes(700)) == 655_360..<716_800)
    }

    @Test func `changes make one volume into the other, whatever the two are`() {
        for seed in UInt64(0)..<2_000 {
            var random = SplitMix64(seed: seed)
            let (earlier, later) = (volume(&random), volume(&random))
            let changes = runs(of: later).changes(since: runs(of: earlier))
            var made = earlier
            for block in changes.changed.joined() { made[Int(block)] = later[Int(block)] }
            for block in changes.gone.joined() { made[Int(block)] = nil }
            #expect(made == later, "seed \(seed)")
            let differing = zip(earlier, later).filter { $0 != $1 }.count
            let named = (changes.changed + changes.gone).reduce(0) { $0 + $1.count }
            #expect(named == differing, "seed \(seed)")
        }
    }

    /// Where each block lies, in a pool so small that places are often the same.
    private func volume(_ random: inout SplitMix64) -> [UInt64?] {
        var place = UInt64(random.below(8))
        return (0..<24).map { _ in
            if random.chance(300) { place = UInt64(random.below(8)) }
            place += 1
            return random.chance(250) ? nil : place
        }
    }

    private func runs(of volume: [UInt64?]) -> ThinMappings {
        var runs: [ThinRun] = []
        for (block, place) in volume.enumerated() {
            guard let place else { continue }
            if let last = runs.last, last.begin + last.count == UInt64(block),
                last.data + last.count == place
            {
                runs[runs.count - 1] = ThinRun(
                    begin: last.begin, data: last.data, count: last.count + 1)
            } else {
                runs.append(ThinRun(begin: UInt64(block), data: place, count: 1))
            }
        }
        return ThinMappings(block: .kibibytes(64), runs: runs)
    }
}
