import Foundation
import LinuxHost
import MigrationCore
import Pages
import TestSupport
import Testing

/// A running storm, and the tree of processes below it.
final class Storm: Sendable {
    let child: ChildProcess
    var pid: Int32 { child.pid }

    private init(child: ChildProcess) { self.child = child }

    private static let directory =
        FileManager.default.temporaryDirectory.path + "/godwit-storm-\(getpid())"
    private static let built = Task { try await build() }

    /// Brought along by machines without a compiler, which interpret every instruction
    /// (scripts/vmlab).
    private static let brought = ProcessInfo.processInfo.environment["GODWIT_STORM"]

    /// There the storm and its watcher share one slow processor.
    static let isInterpreted = brought != nil

    /// What is tried. There it is the tracker that no other machine has.
    static let trackers = brought == nil ? TrackerKind.usable : Array(TrackerKind.usable.prefix(1))

    /// How often something is done that takes a twentieth of a second elsewhere.
    static func cycles(_ count: Int) -> Int { brought == nil ? count : max(count / 4, 2) }

    private static func build() async throws -> String {
        if let brought { return brought }
        try SmallFile.makeDirectory(directory)
        atexit { try? SmallFile.remove(Storm.directory) }
        try await StormProgram.build(at: directory + "/storm")
        return directory + "/storm"
    }

    static func run(
        _ kinds: String, seed: Int = 1, threads: Int = 3, _ body: (Storm) async throws -> Void
    ) async throws {
        let program = try await built.value
        let null = try Descriptor.open("/dev/null", O_RDWR)
        let child = try ChildProcess.start(
            Command(
                program, ["\(seed)", "\(threads)", kinds], environment: ["MALLOC_ARENA_MAX": "1"]),
            descriptors: [(null, 0), (null, 1), (null, 2)], endsItsGroup: true)
        let storm = Storm(child: child)
        do {
            try await eventually("the storm blows") {
                try Mappings.read(of: child.pid).count > 20
            }
            try await body(storm)
            await storm.end()
        } catch {
            await storm.end()
            throw error
        }
    }

    private func end() async {
        child.signalGroup(SIGKILL)
        _ = await child.wait()
    }

    /// The program and its children, without those that only wait to be reaped.
    var processes: [Int32] {
        ProcessTable.all().filter { ($0.pid == pid || $0.group == pid) && $0.state != "Z" }
            .map(\.pid)
    }

    /// Stops everything; returns once no thread runs.
    func stop() async throws {
        var last = ""
        do {
            try await eventually("the storm stands") {
                child.signalGroup(SIGSTOP)
                let all = processes.map { ($0, states($0)) }
                last = all.map { "\($0): \(String($1))" }.joined(separator: ", ")
                return all.flatMap(\.1).allSatisfy { $0 == "T" || $0 == "D" }
            }
        } catch {
            throw GodwitError(.timedOut, "the storm does not stand: \(last)")
        }
    }

    func goOn() { child.signalGroup(SIGCONT) }

    private func states(_ pid: Int32) -> [Character] {
        let threads = (try? Directories.names(in: "/proc/\(pid)/task")) ?? []
        return threads.compactMap { Int32($0) }.compactMap { ProcessTable.entry($0)?.state }
            .filter { $0 != "Z" && $0 != "X" }
    }
}

/// What the target would hold: the content that was last read of each page.
struct Model {
    private(set) var pages: [UInt64: [UInt8]] = [:]

    /// Reads what a round reported while the program runs, as the sending side does.
    mutating func take(_ dirty: AddressSet, of pid: Int32, for tracker: (any DirtyTracker)?) {
        for range in dirty.ranges {
            read(pid, range) { address, page in
                pages[address] = page
                unsafe page.withUnsafeBytes { unsafe tracker?.wasRead($0, at: address) }
            }
        }
    }

    /// The addresses at which it differs from the memory of the stopped program.
    func differences(from round: TrackedRound, of pid: Int32) -> [String] {
        var wrong: [String] = []
        for range in round.present.ranges {
            read(pid, range) { address, page in
                if pages[address] != page { wrong.append(describe(address, page)) }
            }
        }
        // The rest counts as zero, whatever was sent of it.
        for range in round.tracked.subtracting(round.present).ranges {
            read(pid, range) { address, page in
                if page.contains(where: { $0 != 0 }) {
                    wrong.append("\(String(address, radix: 16)) is said to be empty")
                }
            }
        }
        return wrong
    }

    private func describe(_ address: UInt64, _ page: [UInt8]) -> String {
        let place = String(address, radix: 16)
        guard let known = pages[address] else { return "\(place) was never reported" }
        let differing = zip(known, page).filter { $0 != $1 }.count
        return "\(place) differs in \(differing) bytes"
    }

    /// Also memory that the program itself may not read; what is not there is left out.
    private func read(
        _ pid: Int32, _ range: Range<UInt64>, _ body: (UInt64, [UInt8]) -> Void
    ) {
        guard let memory = try? Descriptor.open("/proc/\(pid)/mem", O_RDONLY) else { return }
        let size = PageRun.pageSize
        var page = [UInt8](repeating: 0, count: size)
        for address in stride(from: range.lowerBound, to: range.upperBound, by: size) {
            let got = unsafe page.withUnsafeMutableBytes { bytes in
                unsafe pread(
                    memory.number, bytes.baseAddress, size, off_t(bitPattern: UInt(address)))
            }
            if got == size { body(address, page) }
        }
    }
}
