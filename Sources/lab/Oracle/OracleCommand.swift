import ArgumentParser
import Foundation
import LinuxHost
import MigrationCore
import TestSupport

/// Instances that verify all of their memory after each of many moves.
struct OracleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "oracle",
        abstract: "Move instances that verify all of their memory, of each kind many times.",
        discussion: "Writes its figures to .results/oracle.json.")

    @Option(help: "Kinds of memory, with commas.")
    var variants = OracleVariant.usual.map(\.rawValue).joined(separator: ",")
    @Option(help: "Moves of each kind.") var moves = 50
    @Flag(help: "All memory follows once it runs on the target.") var postcopy = false
    @Option(help: "Where the figures go.") var output = ".results/oracle.json"

    func run() async throws {
        let root = FileManager.default.temporaryDirectory.path + "/godwit-oracle-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: root) }
        try await Oracle.makeRoot(at: root)
        var rows: [OracleRow] = []
        say(OracleRow.head)
        for variant in try chosen() {
            let row = await OracleRun(
                root: root, variant: variant, moves: moves, isPostcopy: postcopy
            ).run()
            rows.append(row)
            say(row.text)
            for line in row.explanations.prefix(20) { say("    " + line) }
            try writeFigures(rows, to: output)
        }
        guard rows.allSatisfy(\.isGood) else { throw ExitCode(1) }
    }

    private func chosen() throws -> [OracleVariant] {
        try variants.split(separator: ",").map { name in
            guard let variant = OracleVariant(rawValue: String(name)) else {
                let known = OracleVariant.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("\(name) is none of \(known)")
            }
            return variant
        }
    }

    /// Unbuffered: rows show as they come, also where they go into a file.
    private func say(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }
}

/// One kind, moved back and forth while a client counts.
struct OracleRun {
    let root: String
    let variant: OracleVariant
    let moves: Int
    let isPostcopy: Bool

    /// What went wrong is in the row, too.
    func run() async -> OracleRow {
        var row = OracleRow(variant: variant, isPostcopy: isPostcopy)
        do {
            row = try await Oracle.with(variant, root: root) { oracle in
                await measure(oracle)
            }
        } catch {
            row.failure = "\(error)"
        }
        return row
    }

    private func measure(_ oracle: Oracle) async -> OracleRow {
        var row = OracleRow(variant: variant, isPostcopy: isPostcopy)
        do {
            let client = try await Counting(client: oracle.lab.client, address: Oracle.address)
            do { try await moveAndVerify(oracle, &row) } catch {
                row.failure = "\(error)"
                row.explanations += ["a", "b"].flatMap(oracle.criuErrors)
            }
            let testimony = try await client.finish()
            row.repliesLost = testimony.repliesLost
            row.connectionAlive = testimony.connectionAlive
        } catch {
            row.failure = row.failure ?? "\(error)"
        }
        return row
    }

    private func moveAndVerify(_ oracle: Oracle, _ row: inout OracleRow) async throws {
        var last = try await oracle.verify()
        for number in 0..<moves {
            let (source, target) = number.isMultiple(of: 2) ? ("a", "b") : ("b", "a")
            row.add(
                try await oracle.move(
                    from: source, to: target, options: isPostcopy ? ["--postcopy"] : []))
            // Now and then it moves on at once; mostly memory is compared while it still arrives.
            if number % 4 == 0, number + 1 < moves { continue }
            if number % 4 == 2 { try await Task.sleep(for: .milliseconds(300)) }
            let answer = try await oracle.verify()
            row.add(answer)
            if answer.wrong > 0 {
                row.explanations += try await oracle.explanations(on: target)
                throw GodwitError(.memoryDiffers, "move \(number + 1) left wrong pages")
            }
            guard answer.steps > last.steps else {
                throw GodwitError(.internalFault, "nothing has run since move \(number + 1)")
            }
            last = answer
        }
    }
}
