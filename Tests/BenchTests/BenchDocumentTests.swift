import Foundation
import FoundationXML
import MigrationCore
import Testing
import lab

@Suite struct BenchDocumentTests {
    @Test func `the page's table and plots are those of the committed figures`() throws {
        let folder = packageRoot.appending(path: BenchReport.folder)
        let report = try BenchReport.read(folder.appending(path: "bench.json").path())
        let page = try String(
            contentsOf: packageRoot.appending(path: BenchReport.page), encoding: .utf8)
        #expect(try report.replacingTable(in: page) == page)
        for plot in report.plots {
            let drawn = try String(
                contentsOf: folder.appending(path: plot.name), encoding: .utf8)
            #expect(drawn == plot.svg, "\(plot.name): run `lab bench --from … --document`")
        }
    }

    @Test func `the table goes between its marks and leaves the rest alone`() throws {
        let page = """
            before
            <!-- written by `lab bench --document` from plots/bench.json -->
            old
            <!-- end of what `lab bench` writes -->
            after
            """
        let once = try sampleReport.replacingTable(in: page)
        #expect(once.hasPrefix("before\n") && once.hasSuffix("\nafter"))
        #expect(!once.contains("old"))
        #expect(
            once.contains(
                "| 64 | 0 | godwit | 1,000 | 300 | **230** | 260 | 1 | 230 | 0.50 | 0.25 |"))
        #expect(try sampleReport.replacingTable(in: once) == once)
    }

    @Test func `a page without marks is refused`() {
        #expect(throws: GodwitError.self) { try sampleReport.replacingTable(in: "no marks") }
    }

    @Test func `every plot is XML with a line and a name for each way`() throws {
        #expect(sampleReport.plots.count == 2)
        for plot in sampleReport.plots {
            let reader = Reader()
            let parser = XMLParser(data: Data(plot.svg.utf8))
            parser.delegate = reader
            #expect(parser.parse(), "\(plot.name)")
            // Each way is drawn twice: its line and its sample in the legend.
            #expect(reader.count["path"] == 2 * 4)
            #expect(reader.count["circle"] == 4 * 2 + 4)
            for way in [BenchWay.godwit, .stopAndCopy, .pageServer, .podman] {
                #expect(plot.svg.contains(">\(way.title)<"))
            }
        }
    }

    @Test func `numbers have commas between thousands`() {
        #expect([0, 999, 1000, 1_234_567].map { whole($0) } == ["0", "999", "1,000", "1,234,567"])
    }
}

private final class Reader: NSObject, XMLParserDelegate {
    var count: [String: Int] = [:]

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
        qualifiedName: String?, attributes: [String: String]
    ) {
        count[name, default: 0] += 1
    }
}
