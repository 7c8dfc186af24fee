/// What every kind of instance can do. Paths are absolute; every method may be called again after a
/// failure or a restart of the daemon, and comes to the same end.
package protocol InstanceDriver: Sendable {
    var kind: InstanceKind { get }

    /// Starts the instance with `root` as its root filesystem and returns when its process runs.
    func start(_ definition: InstanceDefinition, root: String) async throws
    /// Asks the first process to end (SIGTERM) and kills all after `grace`; returns when all are
    /// gone.
    func stop(_ definition: InstanceDefinition, grace: Duration) async throws
    /// Removes everything but the volume and the definition: logs, bundle, runtime state, network.
    func remove(_ definition: InstanceDefinition) async throws
    func observe(_ definition: InstanceDefinition) async throws -> InstanceObservation
    /// The end of the instance's standard output and error, at most `limit`.
    func log(_ definition: InstanceDefinition, limit: ByteCount) async throws -> [UInt8]
    /// Runs a command inside; returns its exit status (128 + signal if killed).
    func execute(_ request: ExecuteRequest, in definition: InstanceDefinition) async throws
        -> Int32
    /// What keeps the running instance from being checkpointed now, found in /proc.
    func obstacles(_ definition: InstanceDefinition) async throws -> [Obstacle]
}

/// What can be frozen, checkpointed and restored elsewhere, can be moved live.
package protocol Checkpointable: InstanceDriver {
    /// Stops every task and every packet of the instance. Idempotent.
    func freeze(_ definition: InstanceDefinition) async throws
    /// Undoes `freeze`, and a checkpoint that followed it. Idempotent, and quick.
    func thaw(_ definition: InstanceDefinition) async throws
    /// Paths (as the instance sees them, `/a/b`) of files in the volume at `root` and in its named
    /// ones that it has mapped shared and writable: their content can change without a trace in
    /// their times.
    func writableMappings(_ definition: InstanceDefinition, root: String) async throws
        -> Set<String>
    /// Dumps the frozen instance's state into memory-backed files; the instance stays frozen.
    ///
    /// Until it returns the dump may leave traces in the volume (CRIU makes and removes mount
    /// points in the instance's /tmp), so the volume's delta comes after it.
    func dump(_ definition: InstanceDefinition, options: MoveOptions) async throws
    /// Lets the instance run on after `dump`, whose result stays for `sendCheckpoint`.
    func runOn(_ definition: InstanceDefinition) async throws
    /// Sends what `dump` left, and removes it here; the instance stays as it is.
    func sendCheckpoint(
        _ definition: InstanceDefinition,
        over stream: any ByteStream,
        progress: @escaping @Sendable (ByteCount) -> Void
    ) async throws -> CheckpointResult
    /// Kills the frozen original and removes its runtime state and network. Idempotent.
    func end(_ definition: InstanceDefinition) async throws

    /// Target: makes what can be made before the state is here. Nothing runs, nothing is announced.
    func prepareRestore(_ definition: InstanceDefinition, root: String) async throws
    /// Target: receives the process state into memory-backed files, and starts what `restore` will
    /// need of tools with the same root and options.
    func receiveCheckpoint(
        _ definition: InstanceDefinition,
        root: String,
        options: MoveOptions,
        from stream: any ByteStream,
        progress: @escaping @Sendable (ByteCount) -> Void
    ) async throws -> CheckpointResult
    /// Target: restores, lets run (or holds frozen if `options.isPaused`), announces addresses.
    /// Returns where the time went, in milliseconds by part.
    func restore(_ definition: InstanceDefinition, root: String, options: MoveOptions)
        async throws -> [String: Double]
    /// Target: kills what `restore` started and removes all that the three methods above made.
    /// Idempotent.
    func discardRestore(_ definition: InstanceDefinition) async throws
}

/// An instance as its driver sees it at one moment.
package struct InstanceObservation: Codable, Equatable, Sendable {
    package var status: InstanceStatus
    /// The first process, as this host numbers it.
    package var pid: Int32?
    package var exitStatus: Int32?
    package var processes: Int
    package var memory: ByteCount
    package var cpuNanoseconds: UInt64
    /// The most memory it has had on this host; nil where the kernel does not tell.
    package var memoryPeak: ByteCount?
    /// What it has read from and written to disks on this host.
    package var io: IOUsage?

    package init(
        status: InstanceStatus,
        pid: Int32? = nil,
        exitStatus: Int32? = nil,
        processes: Int = 0,
        memory: ByteCount = .zero,
        cpuNanoseconds: UInt64 = 0,
        memoryPeak: ByteCount? = nil,
        io: IOUsage? = nil
    ) {
        self.status = status
        self.pid = pid
        self.exitStatus = exitStatus
        self.processes = processes
        self.memory = memory
        self.cpuNanoseconds = cpuNanoseconds
        self.memoryPeak = memoryPeak
        self.io = io
    }
}

/// Bytes that have gone from and to block devices.
package struct IOUsage: Codable, Equatable, Sendable {
    package var read: ByteCount
    package var written: ByteCount

    package init(read: ByteCount, written: ByteCount) {
        self.read = read
        self.written = written
    }
}

/// The process state that one side holds, as it left or arrived.
package struct CheckpointResult: Codable, Equatable, Sendable {
    /// A digest of every file's name and content, the same on both sides.
    package var digest: String
    package var bytes: ByteCount
    /// Times and counts by name, in milliseconds and pages (CRIU's statistics, ours); may be empty.
    package var statistics: [String: Double]

    package init(digest: String, bytes: ByteCount, statistics: [String: Double]) {
        self.digest = digest
        self.bytes = bytes
        self.statistics = statistics
    }
}

/// A command to run inside an instance, and where its streams go.
package struct ExecuteRequest: Sendable {
    package var command: [String]
    package var environment: [String]
    package var workingDirectory: String
    package var userID: UInt32
    package var groupID: UInt32
    /// Bytes for the command's standard input; it ends with the sequence.
    package var input: AsyncStream<[UInt8]>
    package var output: @Sendable ([UInt8]) async throws -> Void
    package var errorOutput: @Sendable ([UInt8]) async throws -> Void

    package init(
        command: [String],
        environment: [String] = [],
        workingDirectory: String = "/",
        userID: UInt32 = 0,
        groupID: UInt32 = 0,
        input: AsyncStream<[UInt8]>,
        output: @escaping @Sendable ([UInt8]) async throws -> Void,
        errorOutput: @escaping @Sendable ([UInt8]) async throws -> Void
    ) {
        self.command = command
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.userID = userID
        self.groupID = groupID
        self.input = input
        self.output = output
        self.errorOutput = errorOutput
    }
}
