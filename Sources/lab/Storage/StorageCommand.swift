import ArgumentParser
import Foundation
import MigrationCore
import TestSupport

struct StorageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "storage",
        abstract: "Measure what travels when an instance moves, comes home and leaves again.",
        discussion: """
            For every driver: bytes on the wire and seconds of three moves between pools of its
            kind, and with the first driver those of `rsync -a` of the same trees; and a container
            that writes records as fast as it can while it moves. Writes its figures to
            .results/storage.json, in place of earlier ones of the same driver. Ends with status 1
            if a record is lost, doubled or torn, or a driver cannot do it.

            Example:
              lab storage --drivers directory,btrfs --size 2048 --changed 50
            """)

    @Option(help: "Pools' drivers, with commas between them.") var drivers = "directory,btrfs"
    @Option(help: "MiB of files.") var size = 2_048
    @Option(help: "MiB that change between two moves.") var changed = 50
    @Flag(inversion: .prefixedNo, help: "Have an instance travel there, home and there again.")
    var journey = true
    @Flag(inversion: .prefixedNo, help: "Have a container write records while it moves.")
    var writer = true
    @Option(help: "Where the figures go.") var output = ".results/storage.json"

    private var kinds: [PoolKind] {
        get throws {
            try drivers.split(separator: ",").map { word in
                guard let kind = PoolKind(rawValue: String(word)) else {
                    throw ValidationError("there is no driver \(word)")
                }
                return kind
            }
        }
    }

    func validate() throws {
        guard try !kinds.isEmpty, journey || writer else {
            throw ValidationError("there is nothing to measure")
        }
        guard size >= changed, changed >= 2 else {
            throw ValidationError("at least 2 MiB change, and no more than there are")
        }
    }

    func run() async throws {
        var report = StorageReport.read(from: output)
        var failures: [String] = []
        for (number, kind) in try kinds.enumerated() {
            do {
                if journey {
                    let run = JourneyRun(
                        kind: kind, size: size, changed: changed, besidesRsync: number == 0)
                    report.put(try await run.run())
                }
                if writer { report.put(try await WriterRun(kind: kind).run()) }
            } catch {
                failures.append("\(kind.rawValue): \(error)")
            }
            try writeFigures(report, to: output)
        }
        print(report.table)
        failures += report.failures(of: try kinds)
        for failure in failures {
            FileHandle.standardError.write(Data("failed: \(failure)\n".utf8))
        }
        guard failures.isEmpty else { throw ExitCode(1) }
    }
}
