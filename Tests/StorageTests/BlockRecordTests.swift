import MigrationCore
import Storage
import TestSupport
import Testing

/// What travels between two thin volumes.
@Suite struct BlockRecordTests {
    private let size: UInt64 = 1 << 20

    @Test func `records are read as they were written`() throws {
        let bytes: [UInt8] = [1, 2, 3]
        for record in [
            BlockRecord.content(5, bytes[...]), .zeros(0, count: size),
            .content(size - 3, bytes[1...]),
        ] {
            #expect(try BlockRecord(record.encoded, within: size) == record)
        }
    }

    @Test func `what would leave the volume is refused`() {
        let content = BlockRecord.content(size - 2, [1, 2, 3][...]).encoded
        let zeros = BlockRecord.zeros(1, count: size).encoded
        let far = BlockRecord.zeros(.max, count: .max).encoded
        let none = [2] + [UInt8](repeating: 0, count: 16)
        let cut = Array(BlockRecord.zeros(1, count: 1).encoded.dropLast())
        let unknown: [UInt8] = [3] + content.dropFirst()
        let all: [[UInt8]] = [content, zeros, far, none, cut, [], [1], unknown]
        for bad in all {
            #expect(throws: GodwitError(.protocolViolation, "")) {
                try BlockRecord(bad, within: size)
            }
        }
    }

    @Test func `random records are refused or lie in the volume`() {
        var taken = 0
        for seed in UInt64(0)..<20_000 {
            var random = SplitMix64(seed: seed)
            let bytes = (0..<random.below(30)).map { place in
                random.chance(800)
                    ? UInt8(place == 0 ? random.below(4) : 0)
                    : UInt8(truncatingIfNeeded: random.next())
            }
            guard let record = try? BlockRecord(bytes, within: size) else { continue }
            taken += 1
            switch record {
            case .content(let place, let bytes): #expect(place + UInt64(bytes.count) <= size)
            case .zeros(let place, let count): #expect(place + count <= size)
            }
        }
        #expect(taken > 100)
    }

    @Test func `zeros are told from content in parts of 64 KiB`() {
        let grain = 64 << 10
        var bytes = [UInt8](repeating: 0, count: 5 * grain + 10)
        #expect(BlockRecord.records(of: bytes, at: 7) == [.zeros(7, count: UInt64(bytes.count))])
        bytes[grain] = 1
        bytes[3 * grain - 1] = 1
        bytes[5 * grain + 9] = 1
        let records = BlockRecord.records(of: bytes, at: 0)
        #expect(
            records == [
                .zeros(0, count: UInt64(grain)), .content(UInt64(grain), bytes[grain..<3 * grain]),
                .zeros(UInt64(3 * grain), count: UInt64(2 * grain)),
                .content(UInt64(5 * grain), bytes[(5 * grain)...]),
            ])
    }

    @Test func `whoever asks for a turn gets one, one at a time`() async {
        let turn = Turn()
        let counter = Counter()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    await turn.take {
                        let before = await counter.enter()
                        #expect(before == 0)
                        await Task.yield()
                        await counter.leave()
                    }
                }
            }
        }
        #expect(await counter.entered == 50)
    }
}

private actor Counter {
    private var inside = 0
    private(set) var entered = 0

    func enter() -> Int {
        entered += 1
        inside += 1
        return inside - 1
    }

    func leave() { inside -= 1 }
}
