import Foundation
import MigrationCore
import TestSupport
import lab

/// A row as a run of two moves would give it, 10 s apart, whose longest pauses are `blackouts`.
func row(
    _ way: BenchWay, _ mebibytes: Int, _ rate: Int, blackouts: [Double], wire: UInt64 = 1 << 20
) -> BenchRow {
    var testimony = Testimony()
    testimony.connectionAlive = true
    var samples: [BenchSample] = []
    for (index, blackout) in blackouts.enumerated() {
        let start = Timestamp(milliseconds: Int64(index) * 10_000)
        let pause = Timestamp(milliseconds: start.milliseconds + 100)
        testimony.note(reply: 1, after: 0, start: pause, milliseconds: blackout)
        testimony.note(reply: 1, after: 0, start: pause, milliseconds: 25)
        samples.append(
            BenchSample(
                figures: MoveFigures(
                    totalMilliseconds: 1000, downtimeMilliseconds: 300,
                    parts: ["restore": Double(index)], sent: ["memory": 4096]),
                start: start, end: Timestamp(milliseconds: start.milliseconds + 5000),
                wireBytes: wire, processor: (0.5, 0.25),
                resident: ["source_daemon": UInt64(index + 1) << 20]))
    }
    let item = BenchCase(way: way, mebibytes: mebibytes, rate: rate)
    return BenchRow(item, samples: samples, testimony: testimony, wrongPages: 0)
}

/// Three ways at two sizes and two rates.
let sampleReport = BenchReport(
    rows: [64, 256].flatMap { size in
        [0, 5000].flatMap { rate in
            [
                row(.godwit, size, rate, blackouts: [200, 260]),
                row(.stopAndCopy, size, rate, blackouts: [460]),
                row(.pageServer, size, rate, blackouts: [920]),
                row(.podman, size, rate, blackouts: [4600]),
            ]
        }
    })

/// The package's directory.
let packageRoot: URL = {
    var place = URL(filePath: #filePath)
    while place.path().count > 1 {
        place = place.deletingLastPathComponent()
        let manifest = place.appending(path: "Package.swift").path()
        if FileManager.default.fileExists(atPath: manifest) { return place }
    }
    return place
}()
