import ArgumentParser
import Foundation
import TestSupport

struct TutorialCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tutorial",
        abstract: "Run the commands of docs/tutorial.md and compare what they say.")

    @Flag(help: "Write what they say into the page.") var record = false

    func run() async throws {
        let page = try String(contentsOfFile: Tutorial.path, encoding: .utf8)
        let tutorial = Tutorial(page)
        let now = try await Lab.with { lab in
            try await lab.startDaemons()
            try await lab.introduce()
            return try await tutorial.recorded(in: lab)
        }
        if record {
            try Data(now.text.utf8).write(to: URL(filePath: Tutorial.path))
            return print("\(now.steps.count) commands are recorded in \(Tutorial.path)")
        }
        let others = zip(tutorial.steps, now.steps).filter { !$0.saysTheSame(as: $1) }
        for (then, step) in others {
            print("host-\(step.host)# \(step.command)\n- \(then.output)\n+ \(step.output)")
        }
        print("\(now.steps.count) commands, \(others.count) say something else")
        guard others.isEmpty else { throw ExitCode(1) }
    }
}
