import LinuxHost
import MigrationCore
import Testing

@Suite struct HoldTests {
    private let mac: [UInt8] = [2, 0, 0x5e, 0x10, 0, 7]
    private let other: [UInt8] = [2, 0, 0x5e, 0x10, 0, 9]
    private let all = [UInt8](repeating: 0xff, count: 6)

    private func filter(_ addresses: [String] = ["10.9.0.7/24", "fd09::7/64"]) throws -> HoldFilter
    {
        try HoldFilter(
            InterfaceDefinition(
                name: "eth0", bridge: "br0", hardwareAddress: "02:00:5e:10:00:07",
                addresses: addresses))
    }

    private func question(_ address: [UInt8], operation: UInt8 = 1) -> [UInt8] {
        [0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, operation] + other + [10, 9, 0, 1]
            + [UInt8](repeating: 0, count: 6) + address
    }

    private func solicitation(_ address: [UInt8], type: UInt8 = 135) -> [UInt8] {
        [0x86, 0xdd, 0x60, 0, 0, 0, 0, 24, 58, 255] + [UInt8](repeating: 0, count: 32)
            + [type, 0, 0, 0, 0, 0, 0, 0] + address
    }

    private let version6: [UInt8] = [0xfd, 0x09] + [UInt8](repeating: 0, count: 13) + [7]
    private let group: [UInt8] = [0x33, 0x33, 0xff, 0, 0, 7]

    @Test func `frames to the instance and questions for its addresses are kept`() throws {
        let filter = try filter()
        let kept = [
            mac + other + [0x08, 0x00],
            mac + other + [0x12, 0x34, 5],
            all + other + question([10, 9, 0, 7]),
            all + other + [0x81, 0x00, 0, 5] + question([10, 9, 0, 7]),
            group + other + solicitation(version6),
        ]
        for frame in kept { #expect(filter.keeps(frame[...]), "\(frame)") }
        // Wherever in a larger buffer it stands.
        #expect(filter.keeps(([0, 0, 0] + kept[4]).dropFirst(3)))
    }

    @Test func `all else is passed over`() throws {
        let filter = try filter()
        let frames = [
            [], mac, all + other + [0x08],
            other + mac + [0x08, 0x00],
            mac + mac + [0x08, 0x00],
            other + other + question([10, 9, 0, 7]),
            all + other + [0x08, 0x00, 1, 2, 3],
            all + other + question([10, 9, 0, 8]),
            all + other + question([10, 9, 0, 7], operation: 2),
            all + other + question([10, 9, 0]),
            all + mac + question([10, 9, 0, 7]),
            group + other + solicitation(version6, type: 136),
            group + other + solicitation(version6.dropLast() + [8]),
            group + other + Array(solicitation(version6).dropLast()),
        ]
        for frame in frames { #expect(!filter.keeps(frame[...]), "\(frame)") }
        let bare = try self.filter([])
        #expect(!bare.keeps((all + other + question([10, 9, 0, 7]))[...]))
        #expect(bare.keeps((mac + other + [8, 0])[...]))
    }

    @Test func `a filter survives any frame cut anywhere`() throws {
        let filter = try filter()
        var random = SystemRandomNumberGenerator()
        for _ in 0..<5_000 {
            var frame = group + other + solicitation(version6)
            frame[Int.random(in: 0..<frame.count, using: &random)] = .random(in: 0...255)
            _ = filter.keeps(frame.prefix(Int.random(in: 0...frame.count, using: &random)))
        }
    }

    private func frame(_ number: UInt8, size: Int = 60) throws -> HeldFrame {
        try #require(HeldFrame([UInt8](repeating: number, count: size)))
    }

    @Test func `what the other host kept is delivered first`() throws {
        var store = HoldStore()
        store.keep(try frame(3))
        store.give(try frame(1))
        store.keep(try frame(4))
        store.give(try frame(2))
        #expect(store.removeAll().map { $0.bytes[0] } == [1, 2, 3, 4])
        #expect(store.removeAll().isEmpty)
        #expect(store.tally.kept == 2 && store.tally.given == 2 && store.tally.dropped == 0)
    }

    @Test func `both halves are bounded in frames and in bytes, and the oldest stay`() throws {
        var store = HoldStore()
        for _ in 0..<Limit.heldFrames { store.keep(try frame(1)) }
        store.keep(try frame(2))
        store.give(try frame(3))
        #expect(store.tally.kept == Limit.heldFrames && store.tally.dropped == 1)
        #expect(store.tally.given == 1)
        #expect(store.take().allSatisfy { $0.bytes[0] == 1 })
        let large = Int(Limit.heldBytes.bytes) / Limit.heldFrame
        for _ in 0...large { store.keep(try frame(4, size: Limit.heldFrame)) }
        #expect(store.take().count == large)
    }

    @Test func `a frame has at least a header and at most an interface's largest`() {
        for size in [0, 13, Limit.heldFrame + 1] {
            #expect(HeldFrame([UInt8](repeating: 0, count: size)) == nil)
        }
        for size in [14, Limit.heldFrame] {
            #expect(HeldFrame([UInt8](repeating: 0, count: size))?.bytes.count == size)
        }
    }

    @Test func `a batch is written as drawn`() throws {
        let batch = try #require(HeldBatch.batches([try frame(7, size: 14)], interface: "e0").first)
        #expect(
            batch.encoded == Array("GWHF".utf8) + [1, 2] + Array("e0".utf8) + [14, 0, 0, 0]
                + [UInt8](repeating: 7, count: 14))
    }

    @Test func `batches are cut to their size and read as they were written`() throws {
        let frames = try (0..<600).map { try frame(UInt8($0 % 251), size: 14 + 4 * $0) }
        let batches = HeldBatch.batches(frames, interface: "eth0")
        #expect(batches.count > 1)
        for batch in batches { #expect(batch.encoded.count <= Int(Limit.heldBatch.bytes)) }
        let read = try batches.map { try HeldBatch(decoding: $0.encoded) }
        #expect(read == batches && read.flatMap(\.frames) == frames)
        #expect(HeldBatch.batches([], interface: "eth0").isEmpty)
    }

    @Test func `a batch that is cut or changed is refused or read, never more`() throws {
        let batch = try #require(
            HeldBatch.batches([try frame(1), try frame(2, size: 1500)], interface: "eth0").first)
        let bytes = batch.encoded
        let whole = [10, 10 + 64, bytes.count]
        for length in 0..<bytes.count where !whole.contains(length) {
            #expect(throws: GodwitError(.protocolViolation, "")) {
                try HeldBatch(decoding: Array(bytes.prefix(length)))
            }
        }
        for _ in 0..<5_000 {
            var changed = bytes
            for _ in 0...2 { changed[Int.random(in: 0..<90)] = .random(in: 0...255) }
            guard let read = try? HeldBatch(decoding: changed) else { continue }
            #expect(read.encoded == changed)
        }
        #expect(throws: GodwitError(.limitExceeded, "")) {
            try HeldBatch(decoding: [UInt8](repeating: 0, count: Int(Limit.heldBatch.bytes) + 1))
        }
        let slash = Array("GWHF".utf8) + [1, 3] + Array("a/b".utf8)
        #expect(throws: GodwitError(.protocolViolation, "")) { try HeldBatch(decoding: slash) }
    }

    @Test func `messages to the kernel are laid out as it reads them`() {
        #expect(
            NetlinkMessage.link(named: "br0").encoded(sequence: 3) == [
                40, 0, 0, 0, 18, 0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                8, 0, 3, 0, 98, 114, 48, 0,
            ])
        #expect(
            NetlinkMessage.place(mac, at: 0x0102, .pinned).encoded(sequence: 1) == [
                40, 0, 0, 0, 28, 0, 5, 5, 1, 0, 0, 0, 0, 0, 0, 0,
                7, 0, 0, 0, 2, 1, 0, 0, 0x40, 0, 0x44, 0,
                10, 0, 2, 0, 2, 0, 0x5e, 0x10, 0, 7, 0, 0,
            ])
    }

    @Test func `an answer that is cut tells nothing wrong`() {
        #expect(Link(answer: []) == nil)
        #expect(Link(answer: [UInt8](repeating: 0, count: 20)) == nil)
        let head = [UInt8](repeating: 0, count: 16) + [0, 0, 0, 0, 5, 0, 0, 0, 0x41, 0, 0, 0]
        let whole =
            head + [0, 0, 0, 0, 8, 0, 4, 0, 0xdc, 5, 0, 0, 5, 0, 16, 0, 6, 0, 0, 0]
            + [8, 0, 10, 0, 9, 0, 0, 0]
        let link = Link(answer: whole)
        #expect(link?.index == 5 && link?.mtu == 1500 && link?.master == 9)
        #expect(link?.isUp == true && link?.isRunning == true && link?.isSettled == true)
        #expect(Link(answer: Array(whole.dropLast()))?.master == 0)
        #expect(Link(answer: Array(whole.dropLast(16)))?.isSettled == false)
        #expect(Link(answer: head + [0, 0, 0, 0, 1, 0, 4, 0])?.mtu == 0)
    }

    @Test func `a hold's name is the host end's and a letter`() {
        #expect(PacketHold.name(beside: HostEnd(name: "gw01234567")) == "gw01234567h")
    }
}
