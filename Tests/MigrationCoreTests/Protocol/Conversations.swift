import MigrationCore
import Testing

/// One migration in a world without chance, and what goes wrong in it at which moment.
struct Conversation: CustomTestStringConvertible, Sendable {
    let name: String
    let scenario: Scenario
    let script: @Sendable (inout World) -> Void

    var testDescription: String { name }
    var file: String { name.replacing("'", with: "").replacing(" ", with: "-") }

    init(
        _ name: String,
        _ scenario: Scenario = Scenario(),
        script: @escaping @Sendable (inout World) -> Void = { _ in }
    ) {
        self.name = name
        self.scenario = scenario
        self.script = script
    }

    static let all = wholes + cancels + breaks + deaths + persons + followings

    static func scenario(_ change: (inout Scenario) -> Void) -> Scenario {
        var scenario = Scenario()
        change(&scenario)
        return scenario
    }

    private static let wholes = [
        Conversation("a running instance moves"),
        Conversation(
            "a stopped instance moves",
            scenario {
                $0.offer = Sample.offer(options: MoveOptions(mode: .cold))
                $0.startsOnTarget = false
            }
        ),
        Conversation("a dry run", scenario { $0.offer = Sample.offer(isDryRun: true) }),
        Conversation("the target refuses", scenario { $0.isRefused = true }),
        Conversation("an older source", scenario { $0.offer = offer(1...1, "tree-digest") }),
        Conversation(
            "a newer source with a feature of its own",
            scenario { $0.offer = offer(1...3, "tree-digest", "telepathy") }
        ),
        Conversation("a source too new", scenario { $0.offer = offer(2...3, "tree-digest") }),
        Conversation("what arrived differs", scenario { $0.isCorrupted = true }),
        Conversation("the restore fails") { world in
            world.run { $0.target.copy == .partial }
            world.target.steps = []
            world.target.hear(.stepFailed(Sample.error(.restoreFailed)))
        },
    ]

    private static func offer(_ versions: ClosedRange<Int>, _ features: String...) -> Offer {
        Sample.offer(
            capabilities: Capabilities(
                oldestVersion: versions.lowerBound,
                newestVersion: versions.upperBound,
                features: features.map { Capabilities.Feature($0) }
            )
        )
    }

    private static let cancels = [
        Conversation("cancelled while volumes travel") { world in
            world.run { $0.sourceDoes(.sendVolumes) }
            world.source.hear(.cancelled(Sample.error()))
        },
        Conversation("cancelled while state travels") { world in
            world.run { $0.sourceDoes(.sendState) }
            world.source.hear(.cancelled(Sample.error()))
        },
        Conversation("cancelled too late") { world in
            world.run { $0.source.journal == .custodyOffered }
            world.source.hear(.cancelled(Sample.error()))
        },
        Conversation("the target's operator cancels while volumes travel") { world in
            world.run { $0.sourceDoes(.sendVolumes) }
            world.target.hear(.cancelled(Sample.error()))
        },
    ]

    private static let breaks = [
        Conversation("the link breaks in prepare") { world in
            world.run { $0.target.steps.contains { $0.kind == .prepare } }
            world.breakLink()
        },
        Conversation("the link breaks in perform") { world in
            world.run { $0.sourceDoes(.sendState) }
            world.breakLink()
        },
        Conversation("the link breaks before custody is heard") { world in
            world.run { $0.isUnderWay("custody") }
            world.breakLink()
        },
        Conversation("the link breaks in finish") { world in
            world.run { $0.target.copy == .partial }
            world.breakLink()
        },
        Conversation("the answer to custody is lost") { world in
            world.run { $0.isUnderWay("finished") }
            world.breakLink()
        },
        Conversation("the link breaks in confirm") { world in
            world.run { $0.isUnderWay("acknowledged") }
            world.breakLink()
        },
        Conversation("the last word is lost") { world in
            world.run { $0.isUnderWay("closed") }
            world.wire.packets.removeAll { $0.connection == 1 }
            world.hangUp(heardBy: [.source, .target])
        },
    ]

    private static let deaths = [
        Conversation("the source's daemon dies while state travels") { world in
            world.run { $0.sourceDoes(.sendState) }
            world.crashSource()
        },
        Conversation("the source's daemon dies after it has offered custody") { world in
            world.run { $0.source.journal == .custodyOffered }
            world.crashSource()
        },
        Conversation("the source's daemon dies while it ends the original") { world in
            world.run { $0.sourceDoes(.endOriginal) }
            world.crashSource()
        },
        Conversation("the target's daemon dies while it receives") { world in
            world.run { $0.sourceDoes(.sendVolumes) }
            world.crashTarget()
        },
        Conversation("the target's daemon dies while it restores") { world in
            world.run { $0.target.copy == .partial }
            world.crashTarget()
            world.target.orphan = nil
        },
        Conversation("the target's daemon dies after the restore") { world in
            world.run { $0.target.copy == .running }
            world.crashTarget()
        },
    ]

    private static let persons = [
        Conversation("the target burns down and a person keeps the instance") { world in
            world.run { $0.isUnderWay("custody") }
            world.burn(.target)
            world.settle()
            world.resolve(.keepHere)
        },
        Conversation("the target is out of reach and a person knows that it runs there") { world in
            world.run { $0.isUnderWay("finished") }
            world.breakLink()
            world.crashTarget()
            world.target.isBurnt = true
            world.settle()
            world.resolve(.gone)
            world.settle()
            world.target.isBurnt = false
        },
    ]
}

extension World {
    /// Lets things happen until the moment has come.
    mutating func run(until moment: (World) -> Bool) {
        while !moment(self) {
            guard step() else { return violate("the moment never came") }
        }
    }

    func sourceDoes(_ kind: SourceHost.Kind) -> Bool { source.steps.contains { $0.kind == kind } }

    func isUnderWay(_ word: String) -> Bool {
        wire.packets.contains { packet in
            if case .message(let message) = packet.content { message.word == word } else { false }
        }
    }
}
