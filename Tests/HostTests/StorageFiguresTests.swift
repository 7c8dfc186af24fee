import Foundation
import LinuxHost
import TestSupport
import Testing

/// `lab storage`, at a size for tests.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(4)))
struct HostStorageFiguresTests {
    private struct Figures: Decodable {
        struct Move: Decodable {
            var driver: String
            var `case`: String
            var passed: Bool
            var wireBytes: Int
            var changedBytes: Int
        }
        struct Writer: Decodable {
            var passed: Bool
            var records: Int
        }

        var cases: [Move]
        var writers: [Writer]
    }

    /// zfs where each host can have a zfs-fuse of its own.
    private static let drivers =
        ["btrfs"] + (ZfsFuse.obstacle == nil && !TestedZfs.isInKernel ? ["zfs"] : [])

    @Test(arguments: HostStorageFiguresTests.drivers)
    func `a driver's moves arrive whole, and no more travels than has changed`(
        driver: String
    ) async throws {
        let path = "/tmp/godwit-figures-\(UUID().uuidString.prefix(8)).json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let sizes =
            ["--size", "24", "--changed", "4", "--files", "250", "--large", "16"]
            + ["--beside", "16"]
        try await Command(
            Lab.builtLab, ["storage", "--drivers", driver, "--output", path] + sizes
        ).check()
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let figures = try decoder.decode(
            Figures.self, from: Data(contentsOf: URL(filePath: path)))
        let moves = figures.cases.filter { $0.driver == driver }
        #expect(
            Set(moves.map(\.case)) == [
                "first move", "move back", "third move", "250 small files", "one file of 16 MiB",
            ])
        #expect(figures.cases.count == 8, "rsync goes the three ways, too")
        for move in figures.cases {
            #expect(move.passed, "\(move)")
            // All is random, so nothing can be less; busybox and one sleeping process come along.
            let allowed = move.changedBytes..<move.changedBytes + 5 << 20
            #expect(allowed.contains(move.wireBytes), "\(move)")
        }
        #expect(figures.writers.map(\.passed) == [true])
        #expect(figures.writers.allSatisfy { $0.records > 1_000 })
    }
}
