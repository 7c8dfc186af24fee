import Foundation
import LinuxHost
import MigrationCore
import Synchronization

/// A keeper as the daemon that started it sees it.
final class KeeperHandle: Sendable {
    private let child: ChildProcess
    private let control: Descriptor
    /// Says how the restore went.
    let report: Descriptor

    private init(child: ChildProcess, control: Descriptor, report: Descriptor) {
        self.child = child
        self.control = control
        self.report = report
    }

    /// - Returns: the keeper, and our ends of its streams.
    static func start(
        _ configuration: OCIConfiguration, _ files: InstanceFiles, streams count: Int
    ) throws -> (KeeperHandle, [SocketStream]) {
        let nothing = try Descriptor.open("/dev/null", O_RDWR)
        let (report, reportEnd) = try Descriptor.pipe()
        let (control, controlEnd) = try SocketStream.pair()
        let pairs = try (0..<count).map { _ in try SocketStream.pair() }
        var descriptors = [(nothing, Int32(0)), (nothing, 1), (nothing, 2)]
        descriptors += [
            (reportEnd, Monitor.reportDescriptor), (controlEnd, MemoryKeeper.control),
        ]
        for (index, pair) in pairs.enumerated() {
            descriptors.append((pair.1, MemoryKeeper.firstStream + Int32(index)))
        }
        let command = Command(
            configuration.executable,
            ["monitor", Monitor.Action.receive.rawValue, files.record, "--streams", "\(count)"])
        let child = try ChildProcess.start(command, descriptors: descriptors, inNewSession: true)
        for (_, other) in pairs { other.close() }
        reportEnd.close()
        controlEnd.close()
        let keeper = KeeperHandle(child: child, control: control, report: report)
        return (keeper, pairs.map { SocketStream($0.0) })
    }

    /// Waits until the keeper has everything.
    ///
    /// - Throws: why it has not.
    func waitForArrival() async throws {
        let control = control
        let line = try await blocking {
            var line: [UInt8] = []
            while line.last != 0x0A {
                let next = try control.read(upTo: Int(Limit.failure.bytes))
                guard !next.isEmpty, line.count < Int(Limit.failure.bytes) else { break }
                line += next
            }
            return line
        }
        guard let arrival = try? JSONDecoder().decode(MemoryKeeper.Arrival.self, from: Data(line))
        else {
            throw GodwitError(
                .internalFault, "the process that keeps the arriving memory ended",
                remedy: "see in the kernel's log whether it ran out of memory")
        }
        if let failure = arrival.failure { throw failure }
    }

    /// Has the tools of the restore started. What comes of it the restore will find.
    func prepareRestore() { try? control.write([MemoryKeeper.prepares]) }

    /// Has the instance restored; `report` will say how that went.
    func restore() throws { try control.write([MemoryKeeper.restores]) }

    /// Has the keeper end; a wait for its arrival returns.
    func dismiss() { shutdown(control.number, Int32(SHUT_RDWR)) }

    /// Drops all that has arrived, and returns when the keeper has ended.
    func discard() async {
        dismiss()
        let child = child
        let kill = Task {
            guard (try? await Task.sleep(for: .seconds(2))) != nil else { return }
            child.signal(SIGKILL)
        }
        _ = await child.wait()
        kill.cancel()
    }
}

/// Keepers between the beginning of an instance's memory and its restore.
final class Keepers: Sendable {
    private struct Place {
        var keeper: KeeperHandle?
        /// All is here that the tools of the restore need to start.
        var isReady = false
    }

    private let places = Mutex<[InstanceName: Place]>([:])

    func put(_ keeper: KeeperHandle, for name: InstanceName) {
        let isReady = places.withLock { places in
            precondition(places[name]?.keeper == nil, "two keepers of one instance")
            places[name, default: Place()].keeper = keeper
            return places[name]?.isReady == true
        }
        if isReady { keeper.prepareRestore() }
    }

    /// Has the keeper prepare, now or when it is there.
    func prepareRestore(of name: InstanceName) {
        let keeper = places.withLock { places in
            places[name, default: Place()].isReady = true
            return places[name]?.keeper
        }
        keeper?.prepareRestore()
    }

    func take(_ name: InstanceName) -> KeeperHandle? {
        places.withLock { $0.removeValue(forKey: name)?.keeper }
    }

    func discard(_ name: InstanceName) async { await take(name)?.discard() }
}
