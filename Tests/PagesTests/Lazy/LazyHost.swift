import Foundation
import LinuxHost
import MigrationCore
import Pages
import Synchronization
import Testing

/// A container on this machine whose memory travels through a page store while it stays where it
/// is.
final class LazyHost: Sendable {
    static let isPossible =
        getuid() == 0 && SmallFile.exists("/usr/local/libexec/godwit/criu")
        && SmallFile.exists(library) && SmallFile.exists("/dev/userfaultfd")

    private let label = "gwtl\(String(UInt32.random(in: .min ... .max), radix: 16))"
    private let base: String
    private let cgroup: Cgroup
    private let lines = Mutex<[Substring]>([])

    private init() throws {
        base = "/dev/shm/\(label)"
        cgroup = try Cgroup(path: "/\(label)")
    }

    /// Gives the body a container that runs the witness and removes all of it afterwards.
    static func with(
        _ mode: Witness.Mode, mebibytes: Int, inUserNamespace: Bool = true,
        _ body: (LazyHost) async throws -> Void
    ) async throws {
        let host = try LazyHost()
        do {
            try await host.make(mode, mebibytes, inUserNamespace)
            try await host.start(
                host.runc.run(
                    host.label, bundle: host.base, pidFile: host.base + "/pid",
                    log: host.base + "/log"))
            try await host.waitForRounds(2)
            try await body(host)
        } catch {
            await host.removeAll()
            throw error
        }
        await host.removeAll()
    }

    struct Frozen: Sendable {
        let store: PageStore
        let present: [TaskID: [PageRun]]
        let hiddenFromCriu: [TaskID: [PageRun]]
        let pages: Int
        let dumpTime: Duration
    }

    private var runc: Runc {
        Runc(path: "runc", root: base + "/runc", criu: "/usr/local/libexec/godwit/criu")
    }

    /// Freezes the container, takes its memory into a store, dumps the rest and ends it.
    ///
    /// - Parameter stripe: carries only every other so many pages, and leaves the rest to CRIU.
    func freezeAndDump(
        hides: Bool = true, stripe: Int? = nil, limit: ByteCount = .gibibytes(8)
    ) async throws -> Frozen {
        try await cgroup.freeze()
        let tasks = try cgroup.processes().map { try TaskMappings(pid: $0, stripe: stripe) }
        let store = PageStore(limit: limit)
        var present: [TaskID: [PageRun]] = [:]
        for task in tasks { present[task.task] = try task.keep(in: store) }
        let pages = present.values.joined().reduce(0) { $0 + $1.count }
        let file = base + "/hidden"
        let ranges = Dictionary(uniqueKeysWithValues: tasks.map { ($0.pid, $0.ranges) })
        try SmallFile.replace(file, with: Array(Criu.hiddenPages(ranges).utf8))
        for name in ["images", "work"] { try SmallFile.makeDirectory("\(base)/\(name)") }
        #expect(unsafe chmod(base + "/images", 0o755) == 0)
        var command = runc.checkpoint(
            label, images: base + "/images", work: base + "/work", keepsConnections: true,
            log: base + "/log")
        if hides {
            command.environment = Criu.hiding(
                file, mappings: file + ".mappings", mark: file + ".touched",
                library: Self.library)
        }
        let began = ContinuousClock.now
        let result = try await command.run()
        let took = ContinuousClock.now - began
        try #require(result.status.isSuccess, "\(log("dump"))")
        let seen = try PagemapImages.makeEager(in: base + "/images")
        try await cgroup.killAll()
        _ = try await runc.delete(label).run()
        lines.withLock { $0 = [] }
        return Frozen(
            store: store, present: present, hiddenFromCriu: seen, pages: pages, dumpTime: took)
    }

    /// Whether a dump that hides what the text lists succeeds; the container goes on.
    func dumps(hiding text: String) async throws -> Bool {
        try await cgroup.freeze()
        try SmallFile.replace(base + "/hidden", with: Array(text.utf8))
        for name in ["images", "work"] { try SmallFile.makeDirectory("\(base)/\(name)") }
        var command = runc.checkpoint(
            label, images: base + "/images", work: base + "/work", keepsConnections: true,
            log: base + "/log")
        command.environment = Criu.hiding(
            base + "/hidden", mappings: base + "/mappings", mark: base + "/touched",
            library: Self.library)
        let result = try await command.run()
        try cgroup.thaw()
        lines.withLock { $0 = [] }
        return result.status.isSuccess
    }

    func makeServer(
        _ store: PageStore, threads: Int = 2, pause: Duration = .zero
    ) throws -> LazyPagesServer {
        let cgroup = cgroup
        return try LazyPagesServer(
            store: store, work: base + "/work", images: base + "/images", threads: threads,
            pause: pause
        ) {
            var pids: [TaskID: Int32] = [:]
            for pid in cgroup.processes() { pids[TaskID(try TaskMappings.innerPid(pid))] = pid }
            return pids
        }
    }

    func restore() async throws {
        let began = ContinuousClock.now
        var command = runc.restore(
            label, bundle: base, images: base + "/images", work: base + "/work",
            keepsConnections: true, isLazy: true, pidFile: base + "/pid", log: base + "/log")
        command.environment = Criu.restoringLazily(library: Self.library)
        try await start(command)
        measured("restored after \(ContinuousClock.now - began)")
    }

    /// Waits until the witness has looked at all of its memory so many times since it was started
    /// or restored.
    func waitForRounds(_ count: Int) async throws {
        for _ in 0..<6000 {
            let said = lines.withLock { $0 }
            let wrong = said.filter { !$0.hasPrefix("ok ") }
            try #require(wrong.isEmpty, "\(wrong.prefix(5))")
            if said.count >= count { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw GodwitError(
            .timedOut, "the witness stands still: \(lines.withLock { $0.suffix(3) })")
    }

    func log(_ action: String) -> String {
        let text =
            (try? String(contentsOfFile: "\(base)/work/\(action).log", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").filter { $0.contains("Error") }.joined(separator: "\n")
            + ((try? String(contentsOfFile: "\(base)/log", encoding: .utf8)) ?? "")
    }

    var processes: [Int32] { cgroup.processes() }

    func imageBytes() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: base + "/images").reduce(0) {
            let path = "\(base)/images/\($1)"
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
            return $0 + (size ?? 0)
        }
    }

    private func start(_ command: Command) async throws {
        let (output, input) = try Descriptor.pipe()
        let nothing = try Descriptor.open("/dev/null", O_RDONLY)
        let runc = try ChildProcess.start(
            command, descriptors: [(nothing, 0), (input, 1), (input, 2)])
        input.close()
        // Ends with the pipe, when the container does.
        Thread.detachNewThread { self.listen(to: output) }
        let status = await runc.wait()
        guard status.isSuccess else {
            throw GodwitError(.restoreFailed, "runc: \(log("restore"))")
        }
    }

    private func listen(to output: Descriptor) {
        var rest: Substring = ""
        while let bytes = try? output.read(upTo: 4096), !bytes.isEmpty {
            let parts = (rest + String(decoding: bytes, as: UTF8.self))
                .split(separator: "\n", omittingEmptySubsequences: false)
            rest = parts.last ?? ""
            lines.withLock { $0 += parts.dropLast() }
        }
    }

    private func make(_ mode: Witness.Mode, _ mebibytes: Int, _ inUserNamespace: Bool) async throws
    {
        for name in ["bin", "proc", "dev"] { try SmallFile.makeDirectory("\(base)/root/\(name)") }
        for path in [base, base + "/root", base + "/root/bin"] {
            #expect(unsafe chmod(path, 0o755) == 0)
        }
        try await Witness.build(at: base + "/root/bin/witness")
        if inUserNamespace {
            try await Command("chown", ["-R", "300000:300000", base + "/root"]).check()
        }
        let configuration = "manage-cgroups=ignore\nnetwork-lock=skip\n"
        try SmallFile.replace(base + "/criu.conf", with: Array(configuration.utf8))
        let text = specification(mode, mebibytes, inUserNamespace)
        try SmallFile.replace(base + "/config.json", with: Array(text.utf8))
    }

    private func specification(
        _ mode: Witness.Mode, _ mebibytes: Int, _ inUserNamespace: Bool
    ) -> String {
        let mapping = #"[{"containerID": 0, "hostID": 300000, "size": 65536}]"#
        let user = inUserNamespace ? #", {"type": "user"}"# : ""
        let maps =
            inUserNamespace ? #""uidMappings": \#(mapping), "gidMappings": \#(mapping),"# : ""
        return #"""
            {"ociVersion": "1.0.2", "hostname": "witness",
            "annotations": {"org.criu.config": "\#(base)/criu.conf"},
            "root": {"path": "\#(base)/root"},
            "process": {"args": ["/bin/witness", "\#(mode.rawValue)", "\#(mebibytes)"],
              "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": []},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
            "linux": {"cgroupsPath": "/\#(label)", \#(maps)
              "resources": {"devices": [{"allow": false, "access": "rwm"}]},
              "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
                {"type": "network"}\#(user)]}}
            """#
    }

    private func removeAll() async {
        try? await cgroup.killAll()
        _ = try? await runc.delete(label).run()
        cgroup.remove()
        for group in (try? CgroupMounts.current().directories(of: "/\(label)")) ?? [] {
            _ = unsafe rmdir(group)
        }
        try? SmallFile.remove(base)
    }

    /// Beside the test's own program.
    static let library: String = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let candidates = [CommandLine.arguments.first ?? "", own ?? ""].map(Criu.library)
        return (candidates + [source.path + "/.build/release/libgodwit-criu.so"])
            .first(where: SmallFile.exists) ?? "/libgodwit-criu.so"
    }()
}

/// Figures for whoever runs the tests by hand.
func measured(_ text: String) {
    guard ProcessInfo.processInfo.environment["GODWIT_MEASURE"] != nil else { return }
    FileHandle.standardError.write(Data("measured: \(text)\n".utf8))
}

/// The private anonymous mappings of one task, but its stack.
struct TaskMappings: Sendable {
    let pid: Int32
    let task: TaskID
    let ranges: [Range<UInt64>]

    init(pid: Int32, stripe: Int? = nil) throws {
        self.pid = pid
        task = TaskID(try Self.innerPid(pid))
        let text = try SmallFile.text("/proc/\(pid)/maps")
        let mappings: [Range<UInt64>] = text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            guard fields[1].hasSuffix("p"), fields[4] == "0",
                fields.count == 5 || fields[5] == "[heap]"
            else { return nil }
            let ends = fields[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
            return ends[0]..<ends[1]
        }
        ranges =
            stripe.map { stripe in mappings.flatMap { Self.stripes(of: $0, stripe) } } ?? mappings
    }

    private static func stripes(of range: Range<UInt64>, _ pages: Int) -> [Range<UInt64>] {
        let size = UInt64(pages * PageRun.pageSize)
        return stride(from: range.lowerBound, to: range.upperBound, by: Int(2 * size)).map {
            $0..<min($0 + size, range.upperBound)
        }
    }

    static func innerPid(_ pid: Int32) throws -> Int32 {
        let status = try SmallFile.text("/proc/\(pid)/status")
        let line = status.split(separator: "\n").first { $0.hasPrefix("NSpid:") } ?? ""
        return line.split(separator: "\t").last.flatMap { Int32($0) } ?? pid
    }

    /// - Returns: the pages that are there.
    func keep(in store: PageStore) throws -> [PageRun] {
        let memory = try Descriptor.open("/proc/\(pid)/mem", O_RDONLY)
        let runs = try present()
        for run in runs {
            var offset = 0
            while offset < run.byteCount {
                let length = min(run.byteCount - offset, 1 << 20)
                let at = run.address + UInt64(offset)
                let bytes = unsafe [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
                    count = unsafe pread(memory.number, buffer.baseAddress, length, off_t(at))
                }
                try #require(bytes.count == length)
                try unsafe bytes.withUnsafeBytes { try unsafe store.keep($0, of: task, at: at) }
                offset += length
            }
        }
        return runs
    }

    private func present() throws -> [PageRun] {
        let pagemap = try Descriptor.open("/proc/\(pid)/pagemap", O_RDONLY)
        return try ranges.flatMap { range in
            let count = Int(range.upperBound - range.lowerBound) / PageRun.pageSize
            let first = range.lowerBound / UInt64(PageRun.pageSize)
            var entries = [UInt64](repeating: 0, count: count)
            let length = unsafe pread(pagemap.number, &entries, count * 8, off_t(first * 8))
            try #require(length == count * 8)
            var runs: [PageRun] = []
            for page in 0..<count where entries[page] >> 62 != 0 {
                let address = (first + UInt64(page)) * UInt64(PageRun.pageSize)
                if let last = runs.last, last.end == address {
                    runs[runs.count - 1] = PageRun(address: last.address, count: last.count + 1)
                } else {
                    runs.append(PageRun(address: address, count: 1))
                }
            }
            return runs
        }
    }
}
