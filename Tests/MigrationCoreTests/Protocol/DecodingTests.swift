import Foundation
import MigrationCore
import TestSupport
import Testing

/// What a peer sends is read into values or refused; it never traps.
@Suite struct DecodingTests {
    private func encoded(_ message: Message) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return try encoder.encode(
            Envelope(version: 1, migration: Sample.migration, message: message)
        )
    }

    private func decode(_ data: Data) throws -> Envelope {
        try JSONDecoder().decode(Envelope.self, from: data)
    }

    @Test(arguments: Sample.messages)
    func `every message comes back as it went`(message: Message) throws {
        let envelope = try decode(try encoded(message))
        #expect(envelope.message == message)
        #expect(envelope.migration == Sample.migration)
        #expect(envelope.version == 1)
    }

    @Test(arguments: States.records.source)
    func `every record of the source comes back as it went`(record: SourceRecord) throws {
        let data = try JSONEncoder().encode(record)
        #expect(try JSONDecoder().decode(SourceRecord.self, from: data) == record)
    }

    @Test(arguments: States.records.target)
    func `every record of the target comes back as it went`(record: TargetRecord) throws {
        let data = try JSONEncoder().encode(record)
        #expect(try JSONDecoder().decode(TargetRecord.self, from: data) == record)
    }

    @Test func `a method that is not known here is no way of sending, and no error`() throws {
        let text = #"{"name":"v","used":5,"methods":["teleport","btrfs","rsync"]}"#
        let facts = try JSONDecoder().decode(VolumeFacts.self, from: Data(text.utf8))
        #expect(
            facts == VolumeFacts(name: "v", used: ByteCount(bytes: 5), methods: [.btrfs, .rsync]))
        #expect(
            try JSONDecoder().decode(VolumeFacts.self, from: JSONEncoder().encode(facts)) == facts)
    }

    @Test func `an error keeps its words, although errors are equal by code`() throws {
        let error = GodwitError(.noSpace, "a", remedy: "b", cause: "c", findings: [Sample.finding])
        guard case .declined(let read) = try decode(try encoded(.declined(error))).message else {
            Issue.record("another message")
            return
        }
        #expect(read.description == error.description)
        #expect(read.findings == [Sample.finding])
    }

    /// Bytes changed, dropped, doubled and swapped: 4,000 broken envelopes of each message.
    @Test(arguments: Sample.messages)
    func `garbled messages are read or refused`(message: Message) throws {
        let whole = try encoded(message)
        var random = SplitMix64(seed: UInt64(whole.count))
        var refused = 0
        for _ in 0..<4_000 {
            var bytes = [UInt8](whole)
            for _ in 0...random.below(3) { garble(&bytes, &random) }
            do { deliver(try decode(Data(bytes)).message) } catch { refused += 1 }
        }
        #expect(refused > 1_000)
    }

    private func garble(_ bytes: inout [UInt8], _ random: inout SplitMix64) {
        guard !bytes.isEmpty else { return }
        let index = random.below(bytes.count)
        switch random.below(5) {
        case 0: bytes[index] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.remove(at: index)
        case 2: bytes.insert(bytes[random.below(bytes.count)], at: index)
        case 3: bytes.removeSubrange(index..<min(bytes.count, index + random.below(20)))
        default: bytes[index] = random.pick(Array("0123456789-{}[]\",:ex".utf8))
        }
    }

    /// What could be read is said to both machines in every state.
    private func deliver(_ message: Message) {
        for state in States.everySource {
            var machine = state
            _ = machine.handle(.received(message))
        }
        for state in States.everyTarget {
            var machine = state
            _ = machine.handle(.received(message))
        }
    }

    static let tooMuch: [(String, Message)] = {
        let long = String(repeating: "x", count: Int(Limit.word.bytes) + 1)
        var definition = Sample.definition
        definition.process.command = Array(repeating: "x", count: Limit.commandWords + 1)
        var interfaces = Sample.definition
        interfaces.interfaces = Array(
            repeating: Sample.definition.interfaces[0],
            count: Limit.interfacesPerInstance + 1
        )
        var instance = Sample.instance
        instance.volumes = Array(
            repeating: Sample.instance.volumes[0],
            count: Limit.volumesPerInstance + 1
        )
        let findings = Array(repeating: Sample.finding, count: Limit.findings + 1)
        let features = (0...Limit.features).map { Capabilities.Feature("f\($0)") }
        var offers = Array(repeating: Sample.offer(), count: 4)
        offers[0].definition = definition
        offers[1].definition = interfaces
        offers[2].instance = instance
        offers[3].capabilities.features = features
        var acceptance = Sample.acceptance(for: Sample.offer())
        acceptance.features = features.map(\.name)
        let digests = Dictionary(
            uniqueKeysWithValues: (0...Limit.volumesPerInstance).map { ("v\($0)", "d") }
        )
        let parts = Dictionary(
            uniqueKeysWithValues: (0...Limit.reportParts).map { ("p\($0)", 1.0) }
        )
        return [
            ("words of the command", .offer(offers[0])), ("interfaces", .offer(offers[1])),
            ("volumes", .offer(offers[2])), ("features", .offer(offers[3])),
            ("features", .accepted(acceptance)),
            ("findings", .refused(findings)),
            ("volume digests", .arrived(Digests(volumes: digests, checkpoint: nil))),
            ("a digest", .arrived(Digests(volumes: [:], checkpoint: long))),
            ("receipt", .finished(Receipt(name: Sample.web, isRunning: true, milliseconds: parts))),
            ("receipt", .running(Receipt(name: Sample.web, isRunning: true, milliseconds: parts))),
            ("an error's text", .abort(GodwitError(.cancelled, long))),
            ("an error's text", .lost(GodwitError(.memoryDiffers, long))),
            ("findings", .lost(GodwitError(.memoryDiffers, "a", findings: findings))),
            (
                "an error's text",
                .finished(
                    Receipt(
                        name: Sample.web, isRunning: true, milliseconds: [:],
                        loss: GodwitError(.memoryDiffers, long)))
            ),
        ]
    }()

    @Test(arguments: tooMuch)
    func `a list or word beyond its limit is refused by name`(what: String, message: Message)
        throws
    {
        let data = try encoded(message)
        let error = #expect(throws: GodwitError.self) { try decode(data) }
        #expect(error?.code == .limitExceeded)
        #expect(error?.message.contains(what) == true)
    }
}

extension States {
    static let everySource = sources.map(\.machine)
    static let everyTarget = targets.map(\.machine)
}
