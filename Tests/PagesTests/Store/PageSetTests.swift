import Pages
import Testing

@Suite struct PageSetTests {
    @Test func `a set behaves as a set of numbers does`() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var set = PageSet()
            var model: Set<Int> = []
            for _ in 0..<12 {
                let range = randomRange(&generator)
                if Bool.random(using: &generator) {
                    set.insert(range)
                    model.formUnion(range)
                } else {
                    set.remove(range)
                    model.subtract(range)
                }
                #expect(set.count == model.count && set.isEmpty == model.isEmpty)
                #expect(set.runs.flatMap { Array($0) } == model.sorted())
                let limit = randomRange(&generator)
                let first = model.filter(limit.contains).min()
                #expect(set.firstRun(in: limit)?.lowerBound == first)
                #expect(set.firstRun(in: limit).map { limit.contains($0.upperBound - 1) } ?? true)
            }
            #expect((0..<PageSet.capacity).allSatisfy { set.contains($0) == model.contains($0) })
        }
    }

    @Test func `sets are joined, met and taken away`() {
        let low = PageSet(0..<100)
        let high = PageSet(64..<512)
        #expect(low.union(high) == PageSet(0..<512))
        #expect(low.intersection(high) == PageSet(64..<100))
        #expect(low.subtracting(high) == PageSet(0..<64))
        #expect(PageSet(5..<5) == PageSet() && PageSet().firstRun() == nil)
    }

    @Test func `pages are cut at the borders of chunks`() {
        let size = UInt64(PageRun.pageSize)
        let task = TaskID(3)
        let cut = chunks(of: task, at: 510 * size, count: 515)
        #expect(
            cut == [
                ChunkPages(key: ChunkKey(task: task, index: 0), pages: 510..<512),
                ChunkPages(key: ChunkKey(task: task, index: 1), pages: 0..<512),
                ChunkPages(key: ChunkKey(task: task, index: 2), pages: 0..<1),
            ])
        #expect(cut[1].key.address(of: 3) == 515 * size)
        #expect(chunks(of: task, at: 0, count: 0) == [])
    }

    private func randomRange(_ generator: inout SystemRandomNumberGenerator) -> Range<Int> {
        let low = Int.random(in: 0...PageSet.capacity, using: &generator)
        return low..<Int.random(in: low...PageSet.capacity, using: &generator)
    }
}
