import Foundation
import MigrationCore
import Pages
import TestSupport
import Testing

@Suite struct TransferFuzzTests {
    private static let allowed: Set<GodwitError.Code> = [
        .protocolViolation, .limitExceeded, .peerIncompatible, .memoryDiffers, .linkLost,
    ]

    /// With the last round's pages sent, and with them only named.
    @Test(arguments: [false, true])
    func `mutated streams end in an error of ours or as they should`(isOwed: Bool) async throws {
        let recorded = try await Self.recording(isOwed: isOwed)
        var ends: [GodwitError.Code: Int] = [:]
        for seed in UInt64(0)..<9_000 {
            var random = SplitMix64(seed: seed)
            let bytes = Self.mutated(recorded, &random)
            let code = await Self.receive(bytes, inPiecesOf: 1 + random.below(5_000))
            if let code {
                #expect(Self.allowed.contains(code), "seed \(seed): \(code)")
                ends[code, default: 0] += 1
            }
        }
        for code in Self.allowed { #expect(ends[code, default: 0] > 0, "\(code) never came") }
    }

    @Test func `random streams behind a sound beginning end in an error`() async throws {
        for seed in UInt64(0)..<1_000 {
            var random = SplitMix64(seed: seed)
            var bytes = Self.opening
            for _ in 0..<random.below(40) {
                let body = (0..<random.below(60)).map { _ in
                    random.chance(300) ? 0 : UInt8(truncatingIfNeeded: random.next())
                }
                bytes += [UInt8(random.below(9)), UInt8(random.below(8) / 7), 0, 0]
                bytes += [UInt8(body.count), 0, 0, 0] + body
            }
            let code = await Self.receive(bytes, inPiecesOf: 64)
            #expect(code.map(Self.allowed.contains) ?? false, "seed \(seed)")
        }
    }

    @Test func `every cut is an error that says that the link was lost`() async throws {
        let recorded = try await Self.recording()
        for length in 0..<recorded.count {
            let code = await Self.receive(Array(recorded.prefix(length)), inPiecesOf: 1 << 16)
            #expect(code == .linkLost, "after \(length) bytes")
        }
        #expect(await Self.receive(recorded, inPiecesOf: 1) == nil)
    }

    /// The code of the error that it ended with, if it did.
    private static func receive(_ bytes: [UInt8], inPiecesOf size: Int) async -> GodwitError.Code? {
        do {
            let peer = DeafPeer(saying: bytes, inPiecesOf: size)
            _ = try await PageTarget(sink: TestSink(limit: 20_000)).receive(from: [peer])
            return nil
        } catch let error as GodwitError {
            return error.code
        } catch {
            return .internalFault
        }
    }

    private static func mutated(_ bytes: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
        var bytes = bytes
        for _ in 0...random.below(3) {
            let place = random.below(bytes.count)
            switch random.below(6) {
            case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes[place] ^= 1 << UInt8(random.below(8))
            case 2: bytes[place] = random.pick([0, 1, 2, 3, 0x7f, 0x80, 0xff])
            case 3: bytes.remove(at: place)
            case 4: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
            default:
                let end = min(bytes.count, place + 8)
                for index in place..<end { bytes[index] = 0xff }
            }
        }
        return bytes
    }

    private static let opening: [UInt8] =
        Array("GDPG".utf8) + [1, 0, UInt8(pageSize.trailingZeroBitCount), 0, 0, 0, 1, 0]

    /// A conversation of a few hundred bytes in which everything occurs.
    private static func recording(isOwed: Bool = false) async throws -> [UInt8] {
        let memory = try TestMemory(pages: 60)
        let link = TransferLink.pair()
        let stream = RecordingStream(link.source)
        async let received = PageTarget(sink: TestSink()).receive(from: [link.target])
        let source = PageSource(streams: [stream], compression: .always)
        for page in 0..<40 where page % 3 != 0 { memory.fill(page, with: UInt8(page % 7)) }
        _ = try await source.send([memory.scan()])
        for page in 0..<10 { memory.fill(page, with: 3) }
        for page in 20..<30 { memory.drop(page) }
        let other = DirtyPages(task: TaskID(9), pid: getpid(), runs: memory.presentRuns)
        let present = [own: memory.presentRuns, other.task: other.runs]
        _ = try await source.finish(
            [memory.scan(), other], present: present, covered: [own: memory.whole],
            isOwed: isOwed)
        _ = try await received
        return stream.written
    }
}
