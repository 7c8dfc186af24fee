import Foundation
import Testing
import lab

/// How event streams of the storage suites become a table.
@Suite struct ConformanceTests {
    private let file = "StorageTests.HostVolumeConformanceTests/`a change is seen`(pairing:change:)"
    private let kept = "StorageTests.HostKeptConformanceTests/`a base stays`(kind:)"

    /// A line as Swift Testing 6.3 writes it, with what is not read left out.
    private func event(
        _ kind: String, _ test: String, _ arguments: String?, at moment: Double, more: String = ""
    ) throws -> String {
        let name = try arguments.map {
            let text = String(decoding: try JSONEncoder().encode($0), as: UTF8.self)
            return #""_testCase":{"displayName":\#(text),"id":"Parameterized test case ID: …"},"#
        }
        let instant = #""instant":{"absolute":\#(moment),"since1970":1795796234.5}"#
        let id = #""messages":[],"testID":"\#(test)/File.swift:33:6""#
        let payload = #"\#(name ?? "")\#(instant),"kind":"\#(kind)",\#(id)\#(more)"#
        return #"{"kind":"event","payload":{\#(payload)},"version":0}"#
    }

    private func lines(of test: String, _ arguments: String, from start: Double, to end: Double)
        throws -> [String]
    {
        [
            try event("testCaseStarted", test, arguments, at: start),
            try event("testCaseEnded", test, arguments, at: end),
        ]
    }

    private let end = #"{"kind":"event","payload":{"kind":"runEnded"},"version":0}"#

    @Test func `arguments beside the kinds add up, and one that fails is the case's failure`()
        throws
    {
        let issue = #","issue":{"isKnown":false}"#
        var stream = [#"{"kind":"test","payload":{"kind":"function"},"version":0}"#]
        stream += try lines(of: file, "btrfs to btrfs, \"true\"", from: 1, to: 2)
        stream += try lines(of: file, "btrfs to btrfs, \"rm a, b\"", from: 2, to: 2.5)
        stream += try lines(of: file, "lvm to directory, \"true\"", from: 3, to: 4)
        let broken = "lvm to directory, \"rm a, b\""
        stream.append(try event("testCaseStarted", file, broken, at: 4))
        stream.append(try event("issueRecorded", file, broken, at: 5, more: issue))
        stream.append(try event("testCaseEnded", file, broken, at: 6))
        stream.append(try event("testEnded", file, nil, at: 7))
        let read = ConformanceStream((stream + [end]).joined(separator: "\n"))
        #expect(read.isComplete)
        let (one, other) = (read.rows[0], read.rows[1])
        #expect(one.name == "a change is seen" && one.pairing == "btrfs to btrfs")
        #expect(one.passed && one.seconds == 1.5)
        #expect(other.pairing == "lvm to directory" && !other.passed && other.seconds == 3)
        #expect(read.rows.count == 2)
    }

    @Test func `one kind is both ends, known issues are none, and other suites are left out`()
        throws
    {
        var stream = try lines(of: kept, ".btrfs", from: 1, to: 2)
        let issue = #","issue":{"isKnown":true}"#
        stream.insert(try event("issueRecorded", kept, ".btrfs", at: 1, more: issue), at: 1)
        stream += try lines(of: "StorageTests.Others/`x`(kind:)", ".btrfs", from: 3, to: 4)
        let read = ConformanceStream(stream.joined(separator: "\n"))
        #expect(read.rows.map(\.pairing) == ["btrfs to btrfs"])
        #expect(read.rows.allSatisfy(\.passed) && !read.isComplete)
    }

    @Test func `what was never ended has failed`() throws {
        var stream = try lines(of: kept, ".btrfs", from: 1, to: 2)
        stream.append(try event("testCaseStarted", kept, ".directory", at: 2))
        stream.append(try event("issueRecorded", "another", nil, at: 9))
        let rows = ConformanceStream(stream.joined(separator: "\n")).rows
        #expect(rows.map(\.passed) == [true, false] && rows[1].seconds == 7)
    }

    @Test func `the table has a column for each pair, and later figures replace earlier ones`() {
        var report = StorageReport()
        func row(_ name: String, _ target: String, _ seconds: Double, passed: Bool = true)
            -> ConformanceRow
        {
            ConformanceRow(
                name: name, source: "btrfs", target: target, passed: passed, seconds: seconds)
        }
        report.put([row("one", "btrfs", 9), row("one", "directory", 2)])
        report.put([row("two", "directory", 3, passed: false), row("one", "btrfs", 1)])
        #expect(
            report.conformanceTable == """
                | case | btrfs to directory | btrfs to btrfs |
                |---|--:|--:|
                | one | 2.0 | 1.0 |
                | two | FAILED |  |
                """)
    }
}
