import MigrationCore
import TestSupport
import Testing

@Suite struct IDChangeTests {
    private func change(
        _ source: UInt32, _ target: UInt32, _ count: UInt32 = 65_536
    ) throws -> IDChange {
        try #require(
            IDChange(
                from: IDMap(hostStart: source, count: count),
                to: IDMap(hostStart: target, count: count)))
    }

    /// Apart from each other both ways, overlapping both ways, side by side, at both ends of all
    /// ids.
    private static let pairs: [(UInt32, UInt32, UInt32)] = [
        (1_000_000, 3_000_000, 65_536), (3_000_000, 1_000_000, 65_536),
        (1_000_000, 1_000_001, 65_536), (1_010_000, 1_000_000, 65_536),
        (1_000_000, 1_065_536, 65_536), (1_065_536, 1_000_000, 65_536),
        (0, 4_294_901_759, 65_536), (0, 1, 4_294_967_294), (5, 9, 1),
    ]

    @Test(arguments: pairs)
    func `every id of the instance is what it was inside`(
        source: UInt32, target: UInt32, count: UInt32
    ) throws {
        let change = try change(source, target, count)
        for id in [0, 1, count / 2, count - 1] where id < count {
            #expect(change.onTarget(source + id) == target + id)
        }
    }

    @Test(arguments: pairs)
    func `no two owners become one, and those of nobody stay nobody's`(
        source: UInt32, target: UInt32, count: UInt32
    ) throws {
        let change = try change(source, target, count)
        let edges = [source, target, source + count, target + count].flatMap { edge in
            [edge &- 2, edge &- 1, edge, edge &+ 1].filter { $0 < .max }
        }
        var random = SplitMix64(seed: 1)
        let others = (0..<2_000).map { _ in UInt32(random.below(Int(UInt32.max))) }
        let ids = Set(edges + others)
        #expect(Set(ids.map(change.onTarget)).count == ids.count)
        for id in ids {
            let isInside = id >= source && id - source < count
            let here = change.onTarget(id)
            #expect((here >= target && here - target < count) == isInside, "\(id)")
            let isApart = !isInside && !(id >= target && id - target < count)
            if isApart { #expect(here == id) }
        }
    }

    @Test(arguments: pairs)
    func `the extents are all ids, once on both sides, and say the same`(
        source: UInt32, target: UInt32, count: UInt32
    ) throws {
        let change = try change(source, target, count)
        let extents = change.extents
        #expect((1...5).contains(extents.count))
        for side in [extents.map(\.source), extents.map(\.target)] {
            let rows = zip(side, extents.map(\.count)).sorted { $0.0 < $1.0 }
            var end: UInt32 = 0
            for (first, count) in rows {
                #expect(first == end && count > 0)
                end = first + count
            }
            #expect(end == .max)
        }
        for extent in extents {
            for step in [0, extent.count / 2, extent.count - 1] {
                #expect(change.onTarget(extent.source + step) == extent.target + step)
            }
        }
    }

    @Test func `what stays as it is is no change`() throws {
        let map = IDMap(hostStart: 1_000, count: 10)
        #expect(IDChange(from: map, to: map) == nil)
        #expect(IDChange(from: nil, to: map) == nil)
        #expect(IDChange(from: map, to: nil) == nil)
    }

    @Test func `ranges of two sizes are a fault of the caller`() async {
        await #expect(processExitsWith: .failure) {
            _ = IDChange(
                from: IDMap(hostStart: 1, count: 2), to: IDMap(hostStart: 5, count: 3))
        }
    }

    @Test func `an instance keeps its ids where it can, else has the first of the range`() {
        let map = IDMap(hostStart: 1_000, count: 100)
        let place = { IDMap(hostStart: $0, count: $1).place(for: map) }
        #expect(place(1_000, 100) == map)
        #expect(place(900, 200) == map)
        #expect(place(900, 199) == IDMap(hostStart: 900, count: 100))
        #expect(place(5_000, 100) == IDMap(hostStart: 5_000, count: 100))
        #expect(place(5_000, 99) == nil)
        #expect(place(.max, 100) == nil)
        for count in [UInt32(0), .max] {
            #expect(
                IDMap(hostStart: 10, count: 1_000).place(for: IDMap(hostStart: 5, count: count))
                    == nil)
        }
        #expect(map.text == "1000 to 1099")
        #expect(!IDMap(hostStart: .max, count: 1).isPossible)
        #expect(IDMap(hostStart: .max - 1, count: 1).isPossible)
    }
}
