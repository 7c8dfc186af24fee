/// Randomness that one number determines, the same on every machine and in every release.
///
/// The generator is Steele, Lea and Flood's SplitMix64 (OOPSLA 2014).
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }

    /// A number below `limit`, with a bias that no test of ours can notice.
    package mutating func below(_ limit: Int) -> Int {
        precondition(limit > 0, "nothing is below \(limit)")
        return Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(limit)).high)
    }

    /// True in `permille` of a thousand cases.
    package mutating func chance(_ permille: Int) -> Bool { below(1_000) < permille }

    package mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[below(elements.count)]
    }
}
