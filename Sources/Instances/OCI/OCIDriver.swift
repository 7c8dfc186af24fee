import Foundation
package import LinuxHost
package import MigrationCore

/// Containers on runc, checkpointed and restored by CRIU.
///
/// It remembers nothing that a restart would need: what an instance is at the moment stands in its
/// control group, in its directory below `runDirectory/instances`, and in the monitor that runs
/// beside it. So a new daemon goes on where the one before it ended.
package struct OCIDriver: Sendable {
    /// Finds what CRIU cannot dump in the given processes.
    package typealias ObstacleScanning = @Sendable ([Int32]) throws -> [Obstacle]

    package let configuration: OCIConfiguration
    let scan: ObstacleScanning
    /// All that it holds in memory: processes and taps that drop what they keep when this one ends.
    let keepers = Keepers()
    let dumps = PreparedDumps()
    let packetHolds = Holds()

    package init(
        _ configuration: OCIConfiguration, obstacles scan: @escaping ObstacleScanning
    ) {
        self.configuration = configuration
        self.scan = scan
    }

    var runc: Runc { configuration.runc }

    func files(_ definition: InstanceDefinition) -> InstanceFiles {
        configuration.files(of: definition.name)
    }

    func cgroup(_ definition: InstanceDefinition) throws -> Cgroup {
        try Cgroup(path: configuration.cgroupPath(of: definition.name))
    }

    func hostEnds(_ definition: InstanceDefinition) -> [HostEnd] {
        configuration.hostEnds(of: definition)
    }

    func macvlans(_ definition: InstanceDefinition) -> [MacvlanEnd] {
        definition.interfaces.filter(\.isMacvlan).map { MacvlanEnd(name: $0.name) }
    }

    /// The first process, if it is still one of the instance's: a number alone may be a stranger's.
    func firstProcess(_ definition: InstanceDefinition) throws -> Int32? {
        guard let pid = files(definition).number(in: files(definition).pid) else { return nil }
        return try cgroup(definition).processes().contains(pid) ? pid : nil
    }

    func requireRunning(_ definition: InstanceDefinition) throws -> Int32 {
        guard let pid = try firstProcess(definition) else {
            throw GodwitError(
                .notRunning, "the instance \(definition.name) does not run",
                remedy: "start it: godwit start \(definition.name)")
        }
        return pid
    }

    /// The OCI bundle's `config.json` for an instance with the tree at `root`.
    package func specification(
        of definition: InstanceDefinition, root: String, on host: HostResources
    ) throws -> [UInt8] {
        let record = RuntimeRecord(
            configuration: configuration, definition: definition, root: root, isSilent: false,
            keepsConnections: true)
        return try encodedJSON(OCISpecification(record, on: host))
    }

    /// Writes the bundle and all that the monitor will read.
    func makeBundle(_ record: RuntimeRecord) throws {
        let files = record.files
        try SmallFile.makeDirectory(files.directory)
        try record.write()
        let host = HostResources.current(for: record.definition.limits)
        try SmallFile.replace(
            files.specification, with: try encodedJSON(OCISpecification(record, on: host)))
        try writeCriuConfiguration(files, closesConnections: !record.keepsConnections)
    }

    func writeCriuConfiguration(_ files: InstanceFiles, closesConnections: Bool) throws {
        let text = Criu.configuration(closesConnections: closesConnections)
        try SmallFile.replace(files.criuConfiguration, with: Array(text.utf8))
    }

    /// Starts the monitor and returns what it reports: the milliseconds that runc took.
    func startMonitor(_ action: Monitor.Action, _ files: InstanceFiles) async throws -> Double {
        let (read, write) = try Descriptor.pipe()
        let nothing = try Descriptor.open("/dev/null", O_RDWR)
        let command = Command(
            configuration.executable, ["monitor", action.rawValue, files.record])
        let descriptors = [(nothing, Int32(0)), (nothing, 1), (nothing, 2)]
        _ = try ChildProcess.start(
            command, descriptors: descriptors + [(write, Monitor.reportDescriptor)],
            inNewSession: true)
        write.close()
        return try await readReport(from: read, files)
    }

    /// Waits for what a monitor says of its start or restore.
    func readReport(from read: Descriptor, _ files: InstanceFiles) async throws -> Double {
        let bytes = try await blocking { try read.readToEnd() }
        guard let report = try? JSONDecoder().decode(Monitor.Report.self, from: Data(bytes)) else {
            throw GodwitError(
                .internalFault, "the monitor of \(files.name) ended without a report",
                remedy: "see the daemon's log, and the kernel's")
        }
        if let failure = report.failure { throw failure }
        return report.milliseconds
    }

    /// Kills whatever there is of the instance and removes its runtime state and network, in
    /// whatever state it is. Idempotent.
    ///
    /// - Parameter keepsExit: the exit status stays, so that `observe` can tell it.
    func clear(_ definition: InstanceDefinition, keepsExit: Bool = false) async throws {
        let files = files(definition)
        let cgroup = try cgroup(definition)
        await keepers.discard(definition.name)
        await packetHolds.drop(definition.name)
        await endTools(files)
        let macvlans = EndingMacvlans(definition, of: try firstProcess(definition))
        try await cgroup.killAll()
        try await blocking { macvlans.remove() }
        await waitForMonitor(files)
        try await publishedPorts(definition)?.close()
        for end in hostEnds(definition) where end.exists {
            // It may vanish with the instance's namespace in between.
            let result = try await Ip.deleteLink(end.name).run()
            guard result.status.isSuccess || !end.exists else {
                throw Ip.deleteLink(end.name).failure(of: result)
            }
        }
        try await removeDetours(definition)
        if SmallFile.exists(runc.state(of: definition.name.text)) {
            _ = try await runc.delete(definition.name.text).run()
            try SmallFile.remove(runc.state(of: definition.name.text))
        }
        cgroup.remove()
        let exit = keepsExit ? SmallFile.word(files.exit) : nil
        try SmallFile.remove(files.directory)
        guard let exit else { return }
        try SmallFile.makeDirectory(files.directory)
        try SmallFile.replace(files.exit, with: Array(exit.utf8))
    }

    /// Ends a runc or CRIU that still works on a start or restore: all of the monitor's session
    /// that is not of the instance and not the monitor itself.
    private func endTools(_ files: InstanceFiles) async {
        await waitForDump(files)
        guard let monitor = files.number(in: files.monitor), isMonitor(monitor) else { return }
        for entry in ProcessTable.all() where entry.session == monitor && entry.pid != monitor {
            kill(entry.pid, SIGKILL)
        }
    }

    /// The monitor ends by itself once its instance has ended.
    private func waitForMonitor(_ files: InstanceFiles) async {
        guard let monitor = files.number(in: files.monitor), isMonitor(monitor) else { return }
        let isGone = await holds(within: .seconds(2)) { !ProcessTable.isAlive(monitor) }
        if !isGone { kill(monitor, SIGKILL) }
    }

    private func isMonitor(_ pid: Int32) -> Bool {
        let line = SmallFile.word("/proc/\(pid)/cmdline") ?? ""
        return line.split(separator: "\0").contains("monitor") && ProcessTable.isAlive(pid)
    }

    /// Waits for a checkpoint that a daemon left running when it died: CRIU puts the tasks back
    /// into the state in which it found them, so that whoever thaws or kills must come after it.
    /// One that was started ahead, and still waits itself, is ended.
    func waitForDump(_ files: InstanceFiles) async {
        await dumps.discard(files.name)
        guard let pid = files.number(in: files.dumping) else { return }
        let isOver = await holds(within: .seconds(30)) {
            !ProcessTable.all().contains { $0.group == pid && $0.state != "Z" }
        }
        if !isOver { kill(-pid, SIGKILL) }
        try? SmallFile.remove(files.dumping)
    }
}
