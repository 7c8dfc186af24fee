import MigrationCore
import Testing
import Wire

/// Bandwidth, attempts and addresses: arithmetic over a clock that the tests turn.
@Suite struct ArithmeticTests {
    @Test private func `a bucket lets a tenth of a second through at once`() {
        var bucket = TokenBucket(rate: ByteCount(bytes: 1_000), now: .zero)
        let waits = [bucket.take(100, now: .zero), bucket.take(100, now: .zero)]
        #expect(waits == [.zero, .milliseconds(100)])
    }

    @Test private func `over time exactly the rate passes, whatever the pieces`() {
        var random = Seeded(state: 7)
        var bucket = TokenBucket(rate: ByteCount(bytes: 10_000), now: .zero)
        var (now, sent) = (Duration.zero, 0)
        while now < .seconds(100) {
            let piece = Int.random(in: 1...5_000, using: &random)
            now += bucket.take(piece, now: now)
            sent += piece
        }
        #expect(abs(Double(sent) / (now / .seconds(1)) - 10_000) < 100)
    }

    @Test private func `a pause saves up no more than the burst`() {
        var bucket = TokenBucket(rate: ByteCount(bytes: 1_000), now: .zero)
        let wait = bucket.take(1_100, now: .seconds(3_600))
        #expect(wait == .seconds(1))
    }

    @Test private func `a clock that goes back pays nothing twice`() {
        var bucket = TokenBucket(rate: ByteCount(bytes: 1_000), now: .seconds(10))
        let waits = [10, 5, 10].map { bucket.take(100, now: .seconds($0)) }
        #expect(waits == [.zero, .milliseconds(100), .milliseconds(200)])
    }

    @Test private func `a rate of nothing is our own fault`() async {
        await #expect(processExitsWith: .failure) { _ = TokenBucket(rate: .zero, now: .zero) }
    }

    @Test private func `an address has its attempts, then waits a minute`() {
        var limiter = AttemptLimiter(each: 2, all: 3)
        let admitted = [0, 30, 59, 60, 61].map { limiter.admits("a", now: .seconds($0)) }
        #expect(admitted == [true, true, false, true, false])
    }

    @Test private func `all together have theirs`() {
        var limiter = AttemptLimiter(each: 2, all: 3)
        var admitted = ["a", "b", "c", "d"].map { limiter.admits($0, now: .zero) }
        admitted.append(limiter.admits("d", now: .seconds(60)))
        #expect(admitted == [true, true, true, false, true])
    }

    @Test private func `addresses of one IPv6 network count as one`() {
        let first = [UInt8](repeating: 1, count: 16)
        var second = first
        second[15] = 9
        var other = first
        other[7] = 9
        #expect(attemptName(ofAddress: first) == attemptName(ofAddress: second))
        #expect(attemptName(ofAddress: first) != attemptName(ofAddress: other))
        let mapped = [UInt8](repeating: 0, count: 10) + [255, 255, 192, 0, 2, 7]
        #expect(attemptName(ofAddress: mapped) == attemptName(ofAddress: [192, 0, 2, 7]))
    }

    @Test(arguments: [
        ("192.0.2.7:7443", "192.0.2.7", 7443), ("[2001:db8::7]:1", "2001:db8::7", 1),
        ("host.example:65535", "host.example", 65_535),
    ])
    private func `an address reads as it is written`(text: String, host: String, port: Int) throws {
        let address = try HostAddress(text)
        #expect((address.host, address.port) == (host, port))
        #expect(address.description == text)
    }

    @Test(arguments: [
        "", ":", ":1", "host", "host:", "host:0", "host:65536", "host:+1", "2001:db8::7:1", "[::1]",
        "[]:1", "[::1:7", "a]:1", "host:1x", String(repeating: "a", count: 300) + ":1",
    ])
    private func `what is no address is refused`(text: String) {
        #expect(throws: GodwitError(.badRequest, "")) { try HostAddress(text) }
    }
}
