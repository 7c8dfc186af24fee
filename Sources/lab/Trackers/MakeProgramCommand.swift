import ArgumentParser
import TestSupport

/// Builds a program that machines without a compiler take along.
struct MakeProgramCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "make-program", shouldDisplay: false)

    enum Program: String, ExpressibleByArgument {
        case storm, writer
        /// A root filesystem with the oracle and timers in it.
        case oracle
        /// One with a program that writes records, and a directory for them.
        case records
    }

    @Argument var program: Program
    @Argument(help: "Where it goes.") var path: String

    func run() async throws {
        switch program {
        case .storm: try await StormProgram.build(at: path)
        case .writer: try await WriterProgram.build(at: path)
        case .oracle:
            try await Oracle.makeRoot(at: path)
            try await TimerProgram.build(into: path)
        case .records: try await RecordProgram.makeRoot(at: path)
        }
    }
}
