import Foundation
import MigrationCore
import Testing

@Suite struct UnitsTests {
    @Test func `byte counts add up to the largest and no further`() {
        let most = ByteCount(bytes: .max)
        #expect(most + ByteCount(bytes: 1) == most)
        #expect(ByteCount(bytes: 2) + ByteCount(bytes: 3) == ByteCount(bytes: 5))
        var sum = ByteCount.zero
        sum += most
        sum += most
        #expect(sum == most)
    }

    @Test func `units are powers of two`() {
        #expect(ByteCount.kibibytes(1).bytes == 1_024)
        #expect(ByteCount.mebibytes(3).bytes == 3 * 1_048_576)
        #expect(ByteCount.gibibytes(2) > ByteCount.mebibytes(2_047))
    }

    @Test func `more bytes than there are numbers is a trap`() async {
        await #expect(processExitsWith: .failure) { _ = ByteCount.gibibytes(1 << 34) }
    }

    @Test func `numbers travel as numbers`() throws {
        let data = try JSONEncoder().encode([ByteCount.kibibytes(1)])
        #expect(String(decoding: data, as: UTF8.self) == "[1024]")
        let negative = Data("[-1]".utf8)
        #expect(throws: (any Error).self) {
            try JSONDecoder().decode([ByteCount].self, from: negative)
        }
        let time = try JSONDecoder().decode([Timestamp].self, from: negative)
        #expect(time == [Timestamp(milliseconds: -1)])
    }

    @Test func `phases come in the order of the protocol`() {
        #expect(Phase.allCases == Phase.allCases.sorted())
        #expect(
            Phase.allCases.map(\.title) == ["begin", "prepare", "perform", "finish", "confirm"])
    }
}
