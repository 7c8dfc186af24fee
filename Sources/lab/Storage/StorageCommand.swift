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
            kind, and with the first driver those of `rsync -a` of the same trees; a move of very
            many small files and one of a very large file; and a container that goes on writing
            records while it moves. Writes its figures to .results/storage.json, in
            place of earlier ones of the same driver. Ends with status 1 if a record is lost,
            doubled or torn, a tree arrives as another one, or a driver cannot do it. With zfs
            each host has a zfs-fuse of its own. The disk needs room for three times the largest
            of it.

            Example:
              lab storage --drivers directory,btrfs --size 2048 --changed 50
            """)

    @Option(help: "Pools' drivers, with commas between them.")
    var drivers = "directory,btrfs,zfs,overlay,shared"
    @Option(help: "MiB of files.") var size = 2_048
    @Option(help: "MiB that change between two moves.") var changed = 50
    @Option(help: "How many small files.") var files = 100_000
    @Option(help: "MiB of the large file.") var large = 4_096
    @Flag(inversion: .prefixedNo, help: "Have an instance travel there, home and there again.")
    var journey = true
    @Flag(inversion: .prefixedNo, help: "Have rsync travel beside the first driver.")
    var rsync = true
    @Flag(inversion: .prefixedNo, help: "Move many small files, and a large one.")
    var bulk = true
    @Flag(inversion: .prefixedNo, help: "Have a container write records while it moves.")
    var writer = true
    @Option(help: "Microseconds that this container waits after each 2 KiB.") var pause = 300
    @Option(help: "MiB from which on it rotates a file as logs are; 0: never.") var rotate = 0
    @Flag(help: "Have it slowed down where it writes faster than files travel.")
    var throttle = false
    @Option(help: "MiB of a file that travels with the records and stays as it is.")
    var beside = 1_024
    @Option(help: "Small files that travel with the records and stay as they are.")
    var besideFiles = 0
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
        guard try !kinds.isEmpty, journey || bulk || writer else {
            throw ValidationError("there is nothing to measure")
        }
        guard size >= changed, changed >= 2 else {
            throw ValidationError("at least 2 MiB change, and no more than there are")
        }
        guard files > 0, large > 0, beside > 0, besideFiles >= 0, (0...1_024).contains(rotate),
            (0...999_999).contains(pause)
        else {
            throw ValidationError(
                "files are not empty, a pause is shorter than a second, and a file of records is "
                    + "rotated at 1,024 MiB at most")
        }
    }

    func run() async throws {
        var report = try StorageReport.read(from: output)
        var failures: [String] = []
        for (number, kind) in try kinds.enumerated() {
            for measure in measures(of: kind, besidesRsync: rsync && number == 0) {
                do { try await measure(&report) } catch {
                    failures.append("\(kind.rawValue): \(error)")
                }
                try writeFigures(report, to: output)
            }
        }
        print(report.table)
        try endWith(failures + report.failures(of: try kinds))
    }

    private typealias Measure = (inout StorageReport) async throws -> Void

    private func measures(of kind: PoolKind, besidesRsync: Bool) -> [Measure] {
        let (size, changed) = (size, changed)
        let journeys: [Measure] = [
            { report in
                let run = JourneyRun(
                    kind: kind, size: size, changed: changed, besidesRsync: besidesRsync)
                report.put(try await run.run())
            }
        ]
        let loads = [StorageFiles.small(files), .one(mebibytes: large)]
        let bulks: [Measure] = loads.map { load in
            { report in report.put([try await BulkRun(kind: kind, files: load).run()]) }
        }
        let writers: [Measure] = [
            { [pause, rotate, beside, besideFiles, throttle] report in
                let run = WriterRun(
                    kind: kind, pause: pause, rotate: rotate, beside: beside,
                    besideFiles: besideFiles, moveOptions: throttle ? ["--throttle"] : [])
                report.put(try await run.run())
            }
        ]
        return (journey ? journeys : []) + (bulk ? bulks : []) + (writer ? writers : [])
    }
}
