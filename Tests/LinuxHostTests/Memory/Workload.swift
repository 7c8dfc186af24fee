import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Programs of the tests, compiled once for all of them.
enum WorkloadPrograms {
    static let directory =
        FileManager.default.temporaryDirectory.path
        + "/godwit-track-\(getpid())"

    private static let built = Task { try await build() }

    static func path(_ name: String) async throws -> String {
        try await built.value
        return "\(directory)/\(name)"
    }

    private static func build() async throws {
        try SmallFile.makeDirectory(directory)
        atexit { try? SmallFile.remove(WorkloadPrograms.directory) }
        let sources = URL(filePath: #filePath).pathComponents.dropLast(4).dropFirst()
        let library = "/" + (sources + ["Sources", "CLinux"]).joined(separator: "/")
        let parts = try Directories.names(in: library)
            .filter { $0.hasPrefix("inject") && $0.hasSuffix(".c") }.map { "\(library)/\($0)" }
        try await compile("workload", WorkloadSource.workload, [])
        try await compile(
            "injector", WorkloadSource.injector,
            ["-I\(library)/include", "-I\(library)", "\(library)/memory_scan.c"] + parts)
    }

    private static func compile(
        _ name: String, _ text: String, _ arguments: [String]
    ) async throws {
        let file = "\(directory)/\(name).c"
        try SmallFile.replace(file, with: Array(text.utf8))
        try await Command(
            "cc", ["-O2", "-o", "\(directory)/\(name)", file] + arguments + ["-lpthread"]
        ).check()
    }
}

/// A running program of one mode, watched by its own report.
final class Workload: Sendable {
    struct Report: Equatable {
        var ticks: UInt64 = 0
        var wrong: UInt64 = 0
        var interrupted: UInt64 = 0
    }

    let child: ChildProcess
    private let file: String
    var pid: Int32 { child.pid }

    private init(child: ChildProcess, file: String) {
        self.child = child
        self.file = file
    }

    /// Runs it for the body, which begins when it has gone round once.
    static func run(
        _ mode: String, _ body: (Workload) async throws -> Void
    ) async throws {
        let program = try await WorkloadPrograms.path("workload")
        let file = "\(WorkloadPrograms.directory)/\(UUID().uuidString)"
        let null = try Descriptor.open("/dev/null", O_RDWR)
        let child = try ChildProcess.start(
            Command(program, [mode, file]), descriptors: [(null, 0), (null, 1), (null, 2)])
        let workload = Workload(child: child, file: file)
        do {
            try await workload.goOn()
            try await body(workload)
            await workload.end()
        } catch {
            await workload.end()
            throw error
        }
    }

    private func end() async {
        child.signal(SIGKILL)
        _ = await child.wait()
        try? SmallFile.remove(file)
    }

    var report: Report {
        let bytes = (try? SmallFile.bytes(file)) ?? []
        guard bytes.count >= 24 else { return Report() }
        let words = (0..<3).map { word in
            (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[word * 8 + $1]) << (8 * $1) }
        }
        return Report(ticks: words[0], wrong: words[1], interrupted: words[2])
    }

    /// Returns when it has gone round some more times.
    func goOn(_ times: UInt64 = 2) async throws {
        let before = report.ticks
        try await eventually("workload \(pid) goes on") { report.ticks >= before + times }
    }

    /// A line of /proc/PID/task/TID/status of each thread that runs.
    func status(_ title: String) -> [String] {
        let threads = (try? Directories.names(in: "/proc/\(pid)/task")) ?? []
        return threads.compactMap { thread in
            let text = SmallFile.word("/proc/\(pid)/task/\(thread)/status") ?? ""
            let line = text.split(separator: "\n").first { $0.hasPrefix(title + ":") }
            return line.map { $0.dropFirst(title.count + 1).trimmingCharacters(in: .whitespaces) }
        }
    }

    /// Descriptors that are userfaultfds, as any of its threads sees them.
    var userfaultfds: Set<String> {
        let threads = (try? Directories.names(in: "/proc/\(pid)/task")) ?? []
        let all = threads.flatMap { thread -> [String] in
            let directory = "/proc/\(pid)/task/\(thread)/fd"
            return ((try? Directories.names(in: directory)) ?? []).filter {
                let target = try? FileManager.default.destinationOfSymbolicLink(
                    atPath: "\(directory)/\($0)")
                return target == "anon_inode:[userfaultfd]"
            }
        }
        return Set(all)
    }

    /// Nobody holds it: it is not stopped, not traced, hears its signals, and goes on.
    func isFree() async throws {
        try #require(kill(pid, 0) == 0)
        try await eventually("nobody traces \(pid)") {
            status("TracerPid").allSatisfy { $0 == "0" }
        }
        try await goOn()
        // An injector whose parent alone was killed may be at work until now.
        try await eventually("\(pid) is not stopped") {
            status("State").allSatisfy { !$0.hasPrefix("t") && !$0.hasPrefix("T") }
        }
        try await eventually("signals reach \(pid)") {
            status("SigBlk").allSatisfy { UInt64($0, radix: 16) == 0 }
        }
        #expect(report.wrong == 0)
    }
}
