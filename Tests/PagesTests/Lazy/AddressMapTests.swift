import Pages
import Testing

@Suite struct AddressMapTests {
    private let page: UInt64 = 4096

    @Test func `everything is where it was until something happens`() {
        let map = AddressMap()
        #expect(map.piece(at: 0x7000)?.origin(of: 0x7000) == 0x7000)
        #expect(map.piece(from: 0x7fff_ffff_f000)?.now.lowerBound == 0x7fff_ffff_f000)
        #expect(map.pieces.count == 1)
    }

    @Test func `what has moved is found at its new place and no more at the old one`() {
        var map = AddressMap()
        let lost = map.move(from: 0x10000, to: 0x90000, length: 0x4000)
        #expect(lost == [0x90000..<0x94000])
        #expect(map.piece(at: 0x91000)?.origin(of: 0x91000) == 0x11000)
        #expect(map.piece(at: 0x10000) == nil && map.piece(at: 0x13fff) == nil)
        #expect(map.piece(at: 0x14000)?.origin(of: 0x14000) == 0x14000)
        #expect(map.piece(from: 0x12000)?.now == 0x92000..<0x94000)
        #expect(map.piece(from: 0x92000) == nil)
        #expect(map.remove(0x93000..<0x95000) == [0x13000..<0x14000, 0x94000..<0x95000])
        #expect(map.piece(from: 0x12000)?.now == 0x92000..<0x93000)
    }

    @Test func `a move onto itself in part keeps what was moved`() {
        var map = AddressMap()
        _ = map.move(from: 0x10000, to: 0x30000, length: 0x3000)
        let lost = map.move(from: 0x30000, to: 0x50000, length: 0x1000)
        #expect(lost == [0x50000..<0x51000])
        #expect(map.piece(at: 0x50000)?.origin(of: 0x50000) == 0x10000)
        #expect(map.piece(at: 0x31000)?.origin(of: 0x31000) == 0x11000)
    }

    @Test func `any story ends as it does for single pages`() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            var map = AddressMap()
            // Where each page's content came from.
            var model: [UInt64: UInt64] = [:]
            for number in 0..<64 { model[UInt64(number)] = UInt64(number) }
            for _ in 0..<20 { step(&map, &model, &generator) }
            for number in UInt64(0)..<64 {
                let address = number * page
                let origin = map.piece(at: address).map { $0.origin(of: address) / page }
                #expect(origin == model[number])
            }
            for (now, origin) in model {
                #expect(map.piece(from: origin * page)?.now.lowerBound == now * page)
            }
        }
    }

    private func step(
        _ map: inout AddressMap, _ model: inout [UInt64: UInt64],
        _ generator: inout SystemRandomNumberGenerator
    ) {
        let length = UInt64.random(in: 1...10, using: &generator)
        let from = UInt64.random(in: 0...64 - length, using: &generator)
        let to = UInt64.random(in: 0...64 - length, using: &generator)
        let isApart = to + length <= from || from + length <= to
        let lost: [Range<UInt64>]
        var gone: Set<UInt64> = []
        if Bool.random(using: &generator) && isApart {
            let moved = (0..<length).map { model.removeValue(forKey: from + $0) }
            gone = Set((0..<length).compactMap { model.removeValue(forKey: to + $0) })
            for (offset, origin) in moved.enumerated() { model[to + UInt64(offset)] = origin }
            lost = map.move(from: from * page, to: to * page, length: length * page)
        } else {
            gone = Set((from..<from + length).compactMap { model.removeValue(forKey: $0) })
            lost = map.remove(from * page..<(from + length) * page)
        }
        let pages = lost.flatMap { Array($0.lowerBound / page..<$0.upperBound / page) }
        #expect(Set(pages) == gone && pages.count == gone.count)
    }
}
