import API
import ArgumentParser
import Foundation
import MigrationCore
import Synchronization
import UnixSignals

struct MoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "move", abstract: "Move an instance to another host.",
        discussion: """
            A running instance moves live: it runs until a fraction of a second before it runs on
            there. An interrupt (Ctrl-C) cancels the move while that is possible, and says where
            the instance is; a second one leaves the move to the daemon.

            Examples:
              godwit move db host-b:
              godwit move db host-b:cache --dry-run
              godwit move db host-b: --bandwidth 100MiB --timeout 60
              godwit move db host-b: --cold --keep-definition
              godwit move db host-b: --mount /srv/db=/mnt/db --mount /cache=share
              godwit move db host-b: --keep-copy none
            """)

    enum TCP: String, CaseIterable, ExpressibleByArgument { case keep, close }

    @OptionGroup var target: InstanceArgument
    @Argument(
        help: ArgumentHelp(
            "The remote's name with a colon, and the name there if it is another.",
            valueName: "remote:[newname]"),
        completion: Completion.remotes, transform: Destination.init)
    var destination: Destination

    @Flag(name: .customLong("dry-run"), help: "Only show the plan and what the checks found.")
    var isDryRun = false
    @Flag(help: "While it runs (what a running instance does by itself).") var live = false
    @Flag(help: "Stop it here, start it there.") var cold = false
    @Option(
        help: ArgumentHelp("The name there.", valueName: "newname"), transform: Read.instance)
    var rename: InstanceName?
    @Option(
        help: ArgumentHelp("Bytes a second at most, such as 100MiB.", valueName: "size"),
        transform: Read.size)
    var bandwidth: ByteCount?
    @Flag(help: "Hold it frozen there after the move.") var paused = false
    @Flag(
        name: .customLong("keep-definition"),
        help: "Keep the stopped instance's definition and volume here.")
    var keepsDefinition = false
    @Option(
        help: ArgumentHelp(
            "Cancel it if it has not come to the handing over by then.", valueName: "seconds"))
    var timeout: UInt32?
    @Option(help: "What becomes of TCP connections.") var tcp = TCP.keep
    @Flag(
        name: .customLong("no-hold"),
        help: "Do not keep packets while it stands still: clients must send them again.")
    var dropsPackets = false
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "The bridge or parent there for one here, where it has another name; repeatable.",
            valueName: "old=new"))
    var network: [NetworkRenaming] = []
    @Option(
        help: ArgumentHelp(
            "Have traffic follow it from networks that the target is not in.",
            valueName: "duration"),
        transform: Read.duration)
    var forward: UInt32?
    @Flag(
        name: .customLong("without-snapshots"),
        help: "Leave its snapshots behind: they are deleted after the move.")
    var dropsSnapshots = false
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "What becomes of a mount (by its path inside, or the host's): move, share, skip, "
                + "refuse, or another path of the host there; repeatable.",
            valueName: "path=treatment"))
    var mount: [MountRule] = []
    @Option(
        name: .customLong("keep-copy"),
        help: ArgumentHelp(
            "For how long a copy of its files is kept here, so that only what differs has to "
                + "travel when it comes back; none: they are deleted at once.",
            valueName: "duration|none"),
        transform: Read.keeping)
    var keepCopy = KeptTime(seconds: Limit.usualKeptSeconds)
    @OptionGroup(title: "Memory") var memory: MemoryArguments
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: FormatOptions

    func validate() throws {
        if live, cold { throw ValidationError("--live and --cold exclude each other") }
        if cold, forward != nil { throw ValidationError("--forward is for what moves live") }
        if timeout == 0 { throw ValidationError("--timeout is a number of seconds above 0") }
        if let rename, let other = destination.newName, rename != other {
            throw ValidationError("\(other) and --rename \(rename) are two names for one instance")
        }
        if let old = network.map(\.old).repeated {
            throw ValidationError("--network gives the bridge \(old) two names")
        }
        if let path = mount.map(\.path).repeated {
            throw ValidationError("--mount says two things of \(path)")
        }
        _ = try memory.options
    }

    func request() throws -> MoveRequest {
        MoveRequest(
            name: target.name, remote: destination.remote,
            mode: live ? .live : cold ? .cold : nil, tcp: tcp == .keep ? .keep : .close,
            newName: rename ?? destination.newName, bandwidth: bandwidth, isPaused: paused,
            keepsDefinition: keepsDefinition, timeoutSeconds: timeout,
            memory: try memory.options, holdsPackets: !dropsPackets,
            networks: network.isEmpty
                ? nil : Dictionary(network.map { ($0.old, $0.new) }, uniquingKeysWith: { $1 }),
            forwardSeconds: forward, dropsSnapshots: dropsSnapshots,
            mounts: Dictionary(mount.map { ($0.path, $0.treatment) }, uniquingKeysWith: { $1 }),
            keepSeconds: keepCopy.seconds)
    }

    func run() async throws {
        if isDryRun { return try await showPlan() }
        let client = connection.client
        let host = try await client.information().name
        let report = try await MoveSession(client: client, request: request()).run()
        try output.say(report) { reportText($0, host: host, style: .forOutput) }
    }

    /// - Throws: `refused`, after the plan is shown, where the move would be.
    private func showPlan() async throws {
        let request = try request()
        let preview = try await connection.client.planMove(request)
        try output.say(preview) { previewText($0, request: request, style: .forOutput) }
        if preview.plan == nil { throw ExitCode(GodwitError.Code.refused.exitStatus) }
    }
}

extension [String] {
    /// The first that is there twice.
    fileprivate var repeated: String? {
        var seen: Set<String> = []
        return first { !seen.insert($0).inserted }
    }
}

/// How memory travels while the instance runs.
struct MemoryArguments: ParsableArguments {
    enum AtDeadline: String, CaseIterable, ExpressibleByArgument { case freeze, postcopy, abort }

    @Option(
        help: ArgumentHelp(
            "How long it may stand still; rounds go on until that is foreseen.",
            valueName: "milliseconds"))
    var downtimeBudget = MemoryOptions.standard.downtimeBudget
    @Option(help: "Rounds at most.") var rounds = MemoryOptions.standard.rounds
    @Option(
        help: ArgumentHelp("For how long rounds may go on.", valueName: "seconds"))
    var deadline: Double?
    @Option(
        help: ArgumentHelp(
            "What happens when rounds, or passes over files, do not get there.",
            discussion: """
                freeze: it stands still for longer; postcopy: it runs on the target at once and \
                fetches the rest; abort: it stays.
                """))
    var atDeadline = AtDeadline.freeze
    @Flag(help: "Slow it down if it writes faster than its memory or files travel.")
    var throttle = false
    @Flag(help: "No rounds: all memory follows once it runs on the target.") var postcopy = false
    @Option(help: "Whether pages are compressed.") var compression = Compression.measured

    enum Compression: String, CaseIterable, ExpressibleByArgument { case never, measured, always }

    var options: MemoryOptions {
        get throws {
            try MemoryOptions(
                downtimeBudget: downtimeBudget, rounds: postcopy ? 0 : rounds,
                deadline: deadline,
                atDeadline: postcopy
                    ? .postcopy
                    : MemoryOptions.GivingUp(rawValue: atDeadline.rawValue) ?? .freeze,
                throttle: throttle,
                compression: MemoryOptions.Compression(rawValue: compression.rawValue)
                    ?? .measured)
        }
    }
}

/// One move from its beginning to the last word about it.
struct MoveSession: Sendable {
    let client: HostClient
    let request: MoveRequest

    func run() async throws -> MigrationReport {
        let signals = await UnixSignalsSequence(trapping: .sigint)
        let operation = try await client.beginMove(request)
        do {
            return try await withThrowingTaskGroup(of: MigrationReport?.self) { group in
                group.addTask { try await follow(operation) }
                group.addTask {
                    try await heed(signals, operation)
                    return nil
                }
                while let report = try await group.next() {
                    guard let report else { continue }
                    group.cancelAll()
                    return report
                }
                throw GodwitError(.internalFault, "nobody followed the move")
            }
        } catch let error as GodwitError {
            await explain(error)
            throw error
        }
    }

    private func follow(_ operation: OperationView) async throws -> MigrationReport {
        let printer = PrinterBox(redraws: isTerminal(STDERR_FILENO))
        defer { printer.end() }
        return try await client.followMove(operation) { printer.show($0) }
    }

    /// The first interrupt asks for the cancellation, the second leaves.
    private func heed(_ signals: UnixSignalsSequence, _ operation: OperationView) async throws {
        var isCancelling = false
        for await _ in signals {
            guard !isCancelling else {
                throw GodwitError(
                    .cancelled, "this program was interrupted; the daemon sees the move through",
                    remedy: "see how it ends with `godwit migrations \(request.name)`")
            }
            isCancelling = true
            Output.complain("\ncancelling; waiting for both hosts")
            do {
                try await client.cancelOperation(operation.id)
            } catch let error as GodwitError {
                Output.complain("not cancelled: \(error.message); waiting for the result")
            }
        }
    }

    /// Says where the instance is, as far as the daemon can still be asked.
    private func explain(_ error: GodwitError) async {
        let view: InstanceView?
        do {
            view = try await client.instance(request.name)
        } catch let failure as GodwitError where failure.code == .notFound {
            view = nil
        } catch {
            return
        }
        Output.complain(outcomeText(request, view: view, error: error))
    }
}

/// The printer, for the one task that follows the move.
private final class PrinterBox: Sendable {
    private let printer: Mutex<ProgressPrinter>

    init(redraws: Bool) { printer = Mutex(ProgressPrinter(redraws: redraws)) }

    func show(_ progress: MigrationProgress) {
        let text = printer.withLock { $0.text(for: progress, columns: terminalColumns()) }
        if !text.isEmpty { Output.complain(raw: text) }
    }

    func end() { Output.complain(raw: printer.withLock { $0.end() }) }
}
