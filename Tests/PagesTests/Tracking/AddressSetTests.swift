import MigrationCore
import Pages
import TestSupport
import Testing

@Suite struct AddressSetTests {
    private let page = UInt64(PageRun.pageSize)

    @Test func `ranges that touch become one`() {
        #expect(AddressSet([3..<5, 1..<3, 8..<9, 8..<10]).ranges == [1..<5, 8..<10])
        #expect(AddressSet([]).isEmpty && AddressSet([4..<4]).isEmpty)
    }

    @Test func `sets are cut and joined`() {
        let set = AddressSet([0..<10, 20..<30])
        let other = AddressSet([5..<25, 28..<40])
        #expect(set.intersection(other).ranges == [5..<10, 20..<25, 28..<30])
        #expect(set.subtracting(other).ranges == [0..<5, 25..<28])
        #expect(set.union(other).ranges == [0..<40])
        #expect(set.subtracting(set).isEmpty)
        #expect(set.subtracting(AddressSet()) == set)
    }

    @Test func `runs are whole pages`() {
        let runs = AddressSet([page..<4 * page]).runs
        #expect(runs == [PageRun(address: page, count: 3)])
    }

    @Test func `any sets agree with sets of single numbers`() {
        var random = SplitMix64(seed: 7)
        for _ in 0..<500 {
            let (one, two) = (numbers(&random), numbers(&random))
            let (left, right) = (set(one), set(two))
            #expect(members(left) == one && members(right) == two)
            #expect(members(left.union(right)) == one.union(two))
            #expect(members(left.intersection(right)) == one.intersection(two))
            #expect(members(left.subtracting(right)) == one.subtracting(two))
        }
    }

    @Test func `a range out of order is a mistake`() async {
        await #expect(processExitsWith: .failure) {
            var set = AddressSet([10..<20])
            set.append(5..<12)
        }
    }

    private func numbers(_ random: inout SplitMix64) -> Set<UInt64> {
        Set(
            (0..<Int.random(in: 0...20, using: &random)).map { _ in
                UInt64.random(in: 0..<40, using: &random)
            })
    }

    private func set(_ numbers: Set<UInt64>) -> AddressSet {
        AddressSet(numbers.map { $0..<$0 + 1 })
    }

    private func members(_ set: AddressSet) -> Set<UInt64> {
        Set(set.ranges.flatMap { Array($0) })
    }
}
