/// How many attempts a minute each address and all together have; arithmetic over a given clock.
///
/// A refused attempt does not count, so that the table never holds more than the common ceiling.
package struct AttemptLimiter {
    private let each: Int
    private let all: Int
    private var admitted: [(name: String, at: Duration)] = []

    package init(each: Int, all: Int) {
        precondition(each > 0 && all >= each)
        self.each = each
        self.all = all
    }

    package mutating func admits(_ name: String, now: Duration) -> Bool {
        admitted.removeAll { $0.at + .seconds(60) <= now }
        guard admitted.count < all, admitted.count(where: { $0.name == name }) < each else {
            return false
        }
        admitted.append((name, now))
        return true
    }
}

/// What one person can hold many of counts as one: a /64 of IPv6.
///
/// - Parameter packed: an address in network order, 4 or 16 bytes.
package func attemptName(ofAddress packed: [UInt8]) -> String {
    let isMapped =
        packed.count == 16 && packed.prefix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255]
    let telling = isMapped ? packed.suffix(4) : packed.count == 16 ? packed.prefix(8) : packed[...]
    return telling.map { String($0) }.joined(separator: ".")
}
