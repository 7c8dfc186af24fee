import LinuxHost
import MigrationCore
import Synchronization

/// A thin pool of LVM, and the thin volumes in it.
///
/// Which volume is whose stands in the pool's directory; here they have names that mean nothing.
struct ThinPool: Sendable {
    let lvm: LVM
    let name: String
    private let turn = Turn()

    init(_ lvm: LVM, name: String) {
        self.lvm = lvm
        self.name = name
    }

    static let prefix = "gw-"
    static func newName() -> String { prefix + randomDigits() }

    /// A volume's device file.
    func path(of volume: String) -> String { "/dev/\(lvm.group)/\(volume)" }

    /// - Throws: `notFound` if the pool is not active (any more), or has failed.
    func status() async throws -> ThinPoolStatus {
        var said = ""
        // Before its first volume a pool is no layer below others yet.
        for device in [device, Dmsetup.name(group: lvm.group, volume: name)] {
            let result = try await Dmsetup.status(of: device).run()
            if let status = ThinPoolStatus(result.text) { return status }
            said += result.text + result.errorText
        }
        throw GodwitError(
            .notFound, "the thin pool \(lvm.group)/\(name) is not active, or has failed",
            remedy: "see `lvs -a \(lvm.group)`, and start the daemon again",
            cause: String(said.prefix(1_000)))
    }

    func volumes() async throws -> [LVMVolume] {
        LVMVolume.all(try await lvm.volumes().check()).filter { $0.pool == name }
    }

    func make(_ volume: String, size: ByteCount) async throws {
        try await lvm.makeVolume(volume, in: name, size: size).checkUnbroken()
    }

    func snapshot(_ volume: String, of origin: String, isReadOnly: Bool) async throws {
        try await lvm.makeSnapshot(volume, of: origin, isReadOnly: isReadOnly).checkUnbroken()
    }

    func activate(_ volumes: [String]) async throws {
        try await lvm.activate([name] + volumes).checkUnbroken()
    }

    /// None is no error. Whoever looks at devices as they come and go may hold one for a moment.
    func remove(_ volume: String) async throws {
        for attempt in 1... {
            let command = lvm.remove(volume)
            let result = try await command.runUnbroken()
            if result.status.isSuccess || result.errorText.contains("Failed to find") { return }
            guard attempt < 20, result.errorText.contains("in use") else {
                throw command.failure(of: result)
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Which blocks the pool keeps for a volume that nobody writes to.
    ///
    /// The pool goes on meanwhile: what is read is held for that long. It can be held once.
    func mappings(of volume: String) async throws -> ThinMappings {
        guard let id = try await volumes().first(where: { $0.name == volume })?.id else {
            throw GodwitError(.notFound, "there is no thin volume \(lvm.group)/\(volume)")
        }
        return try await turn.take {
            do {
                try await reserveMetadata()
                let mappings = try await read(id)
                try await Dmsetup.releaseMetadata(of: device).check()
                return mappings
            } catch {
                await releaseMetadata()
                throw error
            }
        }
    }

    /// As long as metadata is held, none of it is given back. None is no error.
    func releaseMetadata() async {
        _ = try? await Dmsetup.releaseMetadata(of: device).runUnbroken()
    }

    /// What a daemon that was killed has held is held no more.
    private func reserveMetadata() async throws {
        let reserve = Dmsetup.reserveMetadata(of: device)
        if try await reserve.run().status.isSuccess { return }
        _ = try await Dmsetup.releaseMetadata(of: device).run()
        try await reserve.check()
    }

    private func read(_ id: UInt32) async throws -> ThinMappings {
        let reader = DumpReading(id)
        let metadata = Dmsetup.name(group: lvm.group, volume: "\(name)_tmeta")
        try await ThinDump.mappings(of: id, metadata: "/dev/mapper/\(metadata)")
            .pour { bytes in try reader.state.withLock { try $0.take(bytes) } }
        return try reader.state.withLock { try $0.finish() }
    }

    private var device: String {
        Dmsetup.name(group: lvm.group, volume: name) + "-tpool"
    }
}

/// What a tool's output is read with, piece by piece on another thread.
private final class DumpReading: Sendable {
    let state: Mutex<ThinDumpReader>
    init(_ id: UInt32) { state = Mutex(ThinDumpReader(of: id)) }
}
