import Foundation
import MigrationCore
import NIOCore
import Testing
import Wire

/// The format of frames, and that a peer cannot make a decoder do more than it may.
@Suite struct FrameTests {
    /// Version 1 as it went over the wire first; it may never change.
    private static let golden: [(FrameKind, String, String)] = [
        (.hello, "{}", "4744575401000100 0200000000000000 7b7d"),
        (.message, "[1]", "4744575401000200 0300000000000000 5b315d"),
        (.data, "x", "4744575401000300 0100000000000000 78"),
        (.end, "", "4744575401000400 0000000000000000 "),
        (.failure, "{}", "4744575401000500 0200000000000000 7b7d"),
        (.ping, "", "4744575401000600 0000000000000000 "),
    ]

    @Test(arguments: golden)
    private func `a frame of version 1 looks as it always did`(
        kind: FrameKind, payload: String, hex: String
    ) throws {
        var buffer = ByteBuffer()
        FrameHeader(kind: kind, payload: UInt64(payload.utf8.count)).write(into: &buffer)
        buffer.writeString(payload)
        let text = buffer.readableBytesView.map { String(format: "%02x", $0) }.joined()
        #expect(text == hex.filter { $0 != " " })
        #expect(try FrameHeader(reading: &buffer).kind == kind)
    }

    @Test private func `every kind has a golden frame`() {
        #expect(Set(Self.golden.map(\.0)) == Set(FrameKind.allCases))
    }

    private static let ceilings: [(FrameRules, FrameKind, ByteCount)] = [
        (.hello, .hello, Limit.hello), (.control, .message, Limit.message),
        (.stream, .data, Limit.frame), (.stream, .end, .zero), (.control, .ping, .zero),
        (.stream, .failure, Limit.failure), (.token, .message, Limit.tokenMessage),
    ]

    @Test(arguments: ceilings)
    private func `a frame may be as long as its limit and not a byte longer`(
        rules: FrameRules, kind: FrameKind, limit: ByteCount
    ) throws {
        let most = FrameHeader(kind: kind, payload: limit.bytes)
        #expect(try rules.admit(most) == Int(limit.bytes))
        let error = #expect(throws: GodwitError.self) {
            try rules.admit(FrameHeader(kind: kind, payload: limit.bytes + 1))
        }
        #expect(error?.code == .limitExceeded)
    }

    @Test private func `a length that fits no memory is refused before any is taken`() {
        #expect(refusal(rawFrame(kind: 3, length: .max), .stream)?.code == .limitExceeded)
    }

    @Test(arguments: [FrameKind.message, .data, .end, .ping, .failure])
    private func `nothing but a hello may come first`(kind: FrameKind) {
        let error = refusal(rawFrame(kind: kind.rawValue), .hello)
        #expect(error?.code == .protocolViolation)
    }

    @Test private func `what is no frame is refused by name`() {
        #expect(refusal(Array("GET / HTTP/1.1\r\n\r\n".utf8), .hello)?.code == .protocolViolation)
        let unknown = refusal(rawFrame(kind: 77), .stream)
        #expect(unknown?.message.contains("77") == true)
        #expect(refusal(rawFrame(kind: 3), .stream)?.message.contains("empty") == true)
    }

    @Test private func `a frame of another version is refused naming both`() {
        let error = refusal(rawFrame(version: 2, kind: 1), .hello)
        #expect(error?.code == .peerIncompatible)
        #expect(error?.message.contains("version 2, this host reads 1 to 1") == true)
    }

    @Test private func `frames cut anywhere come out the same`() throws {
        let message = Array("{\"a\":1}".utf8)
        let bytes = rawFrame(kind: 2, message) + rawFrame(kind: 6) + rawFrame(kind: 2, message)
        for first in 0...bytes.count {
            var decoder = FrameDecoder(rules: .control)
            let frames = try decode(&decoder, bytes[..<first]) + decode(&decoder, bytes[first...])
            #expect(frames.map(\.kind) == [.message, .ping, .message])
            #expect(frames.first?.payload == message)
            #expect(decoder.isBetweenFrames)
        }
    }

    @Test private func `data is handed on as it arrives`() throws {
        var decoder = FrameDecoder(rules: .stream)
        let bytes = rawFrame(kind: 3, [1, 2, 3, 4])
        #expect(try decode(&decoder, bytes[..<18]).map(\.payload) == [[1, 2]])
        #expect(!decoder.isBetweenFrames)
        #expect(try decode(&decoder, bytes[18...]).map(\.payload) == [[3, 4]])
        #expect(decoder.isBetweenFrames)
    }

    @Test(arguments: 0..<UInt64(40))
    private func `mutated frames end in an error or in frames, never in more than came in`(
        seed: UInt64
    ) {
        var random = Seeded(state: seed)
        let rules = [FrameRules.hello, .control, .stream, .token, .helloOrRefusal]
        for _ in 0..<50 {
            var bytes = rawFrame(kind: .random(in: 0...7, using: &random), random.bytes(40))
            bytes += rawFrame(kind: .random(in: 1...6, using: &random), random.bytes(300))
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                bytes[place] = .random(in: 0...255, using: &random)
            }
            var decoder = FrameDecoder(rules: rules[Int.random(in: 0..<5, using: &random)])
            var rest = ByteBuffer(bytes: bytes)
            var given = 0
            while let frame = try? decoder.next(from: &rest) { given += frame.payload.count }
            #expect(given <= bytes.count, "seed \(seed)")
        }
    }

    private func decode(_ decoder: inout FrameDecoder, _ bytes: ArraySlice<UInt8>) throws -> [Frame]
    {
        var buffer = ByteBuffer(bytes: bytes)
        var frames: [Frame] = []
        while let frame = try decoder.next(from: &buffer) { frames.append(frame) }
        return frames
    }

    private func refusal(_ bytes: [UInt8], _ rules: FrameRules) -> GodwitError? {
        var decoder = FrameDecoder(rules: rules)
        var buffer = ByteBuffer(bytes: bytes)
        do { _ = try decoder.next(from: &buffer) } catch { return error }
        return nil
    }
}

/// SplitMix64: the same numbers for the same seed everywhere.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func bytes(_ most: Int) -> [UInt8] {
        (0..<Int.random(in: 0...most, using: &self)).map { _ in .random(in: 0...255, using: &self) }
    }
}
