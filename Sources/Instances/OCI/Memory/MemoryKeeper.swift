import Foundation
import LinuxHost
import MigrationCore
import Pages

/// What the monitor of an arriving instance does before it restores: it receives the memory, and
/// keeps it until the daemon says what becomes of it.
///
/// It is a process of its own so that a daemon that dies takes no memory away from an instance that
/// runs already and still misses pages.
///
///     source ══ TLS ══ daemon ── sockets 5… ── keeper ── userfaultfd ── the instance's tasks
///                        └────── socket 4 ──────┘
struct MemoryKeeper {
    /// The daemon's socket. The keeper writes `Arrival` once, and reads bytes: `prepares` at any
    /// time, `restores` after it has said that all is here. At the end all that has arrived is
    /// dropped.
    static let control: Int32 = 4
    static let firstStream: Int32 = 5
    static let prepares: UInt8 = 0x70
    static let restores: UInt8 = 0x72

    /// What has arrived, as a line of JSON.
    struct Arrival: Codable, Equatable, Sendable {
        /// Nil if everything is here.
        var failure: GodwitError?
    }

    let store: PageStore
    /// For streams of pages; nil if none are to come.
    let listener: LocalListener?

    /// Receives over the sockets that this process was started with, and starts the restore's
    /// tools when it is told so.
    ///
    /// - Returns: nil if the daemon has gone, or has no use for what has arrived.
    static func receive(streams count: Int, for record: RuntimeRecord) async throws
        -> (MemoryKeeper, Launch?)?
    {
        let control = Descriptor(taking: control)
        let streams = (0..<Int32(count)).map {
            SocketStream(Descriptor(taking: firstStream + $0))
        }
        async let arrival = receive(from: streams, for: record, control)
        var launch: Launch?
        while true {
            switch try await blocking({ try control.read(upTo: 1) }).first {
            case prepares:
                guard launch == nil else { continue }
                // What it was when this process was started lacked the move's options.
                launch = try? Launch(
                    .restore, RuntimeRecord.read(record.files.record), isLazy: true, isHeld: true)
            case restores: return await arrival.map { ($0, launch) }
            default:
                for stream in streams { await stream.cancel() }
                await launch?.drop()
                return nil
            }
        }
    }

    /// - Returns: nil if the memory did not arrive, which the daemon has been told.
    private static func receive(
        from streams: [SocketStream], for record: RuntimeRecord, _ control: Descriptor
    ) async -> MemoryKeeper? {
        do {
            let store = PageStore(limit: try limit(of: record))
            _ = try await PageTarget(sink: store).receive(from: streams)
            let keeper = MemoryKeeper(store: store, listener: try listener(store, record.files))
            try say(Arrival(failure: nil), on: control)
            return keeper
        } catch {
            for stream in streams { await stream.cancel() }
            let failure =
                error as? GodwitError
                ?? GodwitError(.internalFault, "the memory did not arrive", cause: "\(error)")
            try? say(Arrival(failure: failure), on: control)
            return nil
        }
    }

    /// Writes down that pages are to come, and listens for them.
    private static func listener(_ store: PageStore, _ files: InstanceFiles) throws
        -> LocalListener?
    {
        let owed = store.owedPages
        guard owed > 0 else { return nil }
        let listener = try LocalListener(
            InstanceFiles.pages, in: files.directory, mode: 0o600)
        try SmallFile.replace(files.lacking, with: Array("\(owed)".utf8))
        return listener
    }

    /// What the instance may have, or all that this host has to give.
    private static func limit(of record: RuntimeRecord) throws -> ByteCount {
        let available = KernelTexts.memoryAvailable(
            meminfo: try SmallFile.text("/proc/meminfo"))
        return min(record.definition.limits.memory ?? available, available)
    }

    private static func say(_ arrival: Arrival, on control: Descriptor) throws {
        let line = Array(try JSONEncoder().encode(arrival)) + [0x0A]
        try control.write(line[...])
    }

    /// A server for CRIU to find when it restores.
    func serve(_ record: RuntimeRecord) throws -> LazyPagesServer {
        let files = record.files
        try PagemapImages.makeEager(in: files.images)
        try SmallFile.replace(files.arriving, with: Array("\(getpid())".utf8))
        let cgroup = try Cgroup(path: record.configuration.cgroupPath(of: record.definition.name))
        let server = try LazyPagesServer(store: store, work: files.work, images: files.images) {
            try record.fillCgroups()
            return try InstanceTasks.pids(cgroup.processes())
        }
        // `PageTarget` has dropped what the frozen instance no longer had.
        server.complete(nil)
        return server
    }
}

/// The processes of an instance by the numbers that they have inside.
enum InstanceTasks {
    static func pids(_ processes: [Int32]) throws -> [TaskID: Int32] {
        // The namespace below ours is the instance's own; CRIU, which runc has put into the control
        // group as well, is in none.
        let depth = ProcessStatus(try SmallFile.text("/proc/self/status")).pids.count
        var pids: [TaskID: Int32] = [:]
        for pid in processes {
            // One that has ended since has no status.
            guard let text = SmallFile.word("/proc/\(pid)/status") else { continue }
            let numbers = ProcessStatus(text).pids
            if numbers.count > depth { pids[TaskID(numbers[depth])] = pid }
        }
        return pids
    }
}
