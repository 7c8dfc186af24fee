import Engine
import MigrationCore
import Synchronization

/// Volumes in memory, each with one text as its whole content.
final class FakePool: MigratingPool {
    let driver = "directory"
    let methods: [VolumeMethod]
    let faults = Faults()
    let volumes = Mutex<[String: String]>([:])
    let isUnchanged = Mutex(false)
    /// By volume and name.
    let kept = Mutex<[String: [String: String]]>([:])
    let isAtOnce = Mutex(false)
    /// The mapped files that the last delta of each volume was told of.
    let mapped = Mutex<[String: Set<String>]>([:])
    let expected = Mutex<[String: IDChange]>([:])
    /// By the migration's id.
    let copies = Mutex<[String: FakeCopy]>([:])
    /// What the other half had when something was sent to it, as it said.
    let starts = Mutex<[VolumeStart]>([])
    let bases = Mutex<Set<String>>([])
    let hasBases = Mutex(false)
    let available = Mutex(ByteCount.gibibytes(10))
    let size = Mutex(ByteCount(bytes: 10))
    /// Volumes of which nothing is kept for the next try any more.
    let forgotten = Mutex<Set<String>>([])

    init(methods: [VolumeMethod] = [.rsync]) { self.methods = methods }

    var names: Set<String> { volumes.withLock { Set($0.keys) } }
    func content(_ name: String) -> String? { volumes.withLock { $0[name] } }
    func write(_ content: String, to name: String) { volumes.withLock { $0[name] = content } }

    func createVolume(_ name: String) async throws -> String {
        try await faults.pass("createVolume")
        write("", to: name)
        return path(of: name)
    }

    func path(of volume: String) -> String { "/pool/\(volume)" }
    func hasVolume(_ name: String) async -> Bool { names.contains(name) }

    func renameVolume(_ name: String, to newName: String) async throws {
        volumes.withLock { $0[newName] = $0.removeValue(forKey: name) }
        kept.withLock { $0[newName] = $0.removeValue(forKey: name) }
    }

    func deleteVolume(_ name: String) async throws {
        try await faults.pass("deleteVolume")
        volumes.withLock { $0[name] = nil }
        kept.withLock { $0[name] = nil }
    }

    func used(by volume: String) async throws -> ByteCount { size.withLock { $0 } }

    func facts() async throws -> PoolFacts {
        PoolFacts(
            name: "default", driver: driver, filesystem: "ext4",
            available: available.withLock { $0 }
        )
    }

    func sendWhileRunning(
        _ volume: String,
        by method: VolumeMethod,
        over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        try await faults.pass("sendWhileRunning")
        try await send(volume, stream, progress)
    }

    func sendAgain(
        _ volume: String, by method: VolumeMethod, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        try await faults.pass("sendAgain")
        try await send(volume, stream, progress)
    }

    func hasChanged(_ volume: String, mapped: Set<String>) async throws -> Bool {
        !isUnchanged.withLock { $0 }
    }

    func sendAfterCheckpoint(
        _ volume: String,
        by method: VolumeMethod,
        mapped: Set<String>,
        over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        self.mapped.withLock { $0[volume] = mapped }
        try await faults.pass("sendAfterCheckpoint")
        try await send(volume, stream, progress)
    }

    private func send(
        _ volume: String, _ stream: any ByteStream, _ progress: (TransferProgress) -> Void
    ) async throws {
        let bytes = Array((content(volume) ?? "").utf8)
        try await stream.write(bytes[...])
        try await stream.finish()
        progress(TransferProgress(sent: ByteCount(bytes: UInt64(bytes.count))))
    }

    func cleanUpAfterSending(_ volume: String) async throws {
        try await faults.pass("cleanUpAfterSending")
    }

    func receiveWhileRunning(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        write(try await stream.text(), to: volume)
        try await faults.pass("receiveWhileRunning")
    }

    func receiveAgain(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        write(try await stream.text(), to: volume)
        try await faults.pass("receiveAgain")
    }

    func receiveAfterCheckpoint(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        write(try await stream.text(), to: volume)
        try await faults.pass("receiveAfterCheckpoint")
        if faults.hasReached("corrupt") { write("something else", to: volume) }
    }

    func cleanUpAfterReceiving(_ volume: String) async throws {
        try await faults.pass("cleanUpAfterReceiving")
    }

    func digest(of volume: String, mapped: Set<String>) async throws -> String {
        "digest of \(content(volume) ?? "nothing")"
    }

    func forgetDigest(of volume: String) async {}
}

/// The content tells whose it is.
extension FakePool: VolumeIDChanging {
    func expectIDs(_ change: IDChange, in volume: String) async throws {
        try await faults.pass("expectIDs")
        expected.withLock { $0[volume] = change }
    }

    func settleIDs(of volume: String) async throws {
        try await faults.pass("settleIDs")
        guard let change = expected.withLock({ $0.removeValue(forKey: volume) }) else { return }
        let content = content(volume) ?? ""
        write(
            content.replacing("\(change.source.hostStart)", with: "\(change.target.hostStart)"),
            to: volume)
    }
}

/// Makes pools that are there or not, and remembers which.
final class FakePoolMaker: PoolMaking {
    let made = Mutex<[String: ByteCount?]>([:])
    let faults = Faults()

    func create(_ definition: PoolDefinition) async throws -> PoolDefinition {
        made.withLock { $0[definition.name] = definition.size }
        try await faults.pass("create")
        return definition
    }

    func open(_ definition: PoolDefinition) async throws -> any MigratingPool {
        try await faults.pass("open")
        guard made.withLock({ $0.keys.contains(definition.name) }) else {
            throw GodwitError(.notFound, "\(definition.name) is not there")
        }
        return FakePool()
    }

    func grow(
        _ definition: PoolDefinition, to size: ByteCount
    ) async throws -> PoolDefinition {
        made.withLock { $0[definition.name] = size }
        var grown = definition
        grown.size = size
        return grown
    }

    func destroy(_ definition: PoolDefinition) async throws {
        try await faults.pass("destroy")
        made.withLock { _ = $0.removeValue(forKey: definition.name) }
    }
}

struct FakeImporter: RootImporting {
    let pool: FakePool

    func importRoot(from path: String, into root: String, idMap: IDMap?) async throws
        -> ImageDefaults
    {
        guard path != "/missing" else { throw GodwitError(.notFound, "there is no \(path)") }
        pool.write("files of \(path)", to: String(root.dropFirst("/pool/".count)))
        return ImageDefaults(command: ["/server"], environment: ["A=image", "B=2"], user: "33:44")
    }
}

extension FakeImporter {
    func own(_ root: String, by idMap: IDMap?) async throws {
        try await pool.faults.pass("own \(root) by \(idMap?.hostStart ?? 0)")
    }

    /// Trees are called as `FakePool` does it.
    func copyTree(from tree: String, into root: String) async throws {
        try await pool.faults.pass("copyTree")
        let names = tree.dropFirst("/pool/".count).split(separator: "@").map(String.init)
        let content =
            names.count == 2
            ? pool.kept.withLock { $0[names[0]]?[names[1]] } : pool.content(names[0])
        guard let content else { throw GodwitError(.notFound, "there is no \(tree)") }
        pool.write(content, to: String(root.dropFirst("/pool/".count)))
    }
}

struct FakeFacts: HostFactsReading {
    let hostname: String
    let idRange: IDMap?

    func facts(
        pools: [PoolFacts], instanceNames: Set<String>, instanceAddresses: Set<String>,
        for definition: InstanceDefinition?
    ) async throws -> HostFacts {
        HostFacts(
            hostname: hostname,
            clock: .now,
            architecture: "x86_64",
            kernel: Version(6, 18),
            kernelFeatures: [],
            processorFeatures: ["sse2"],
            criu: nil,
            runtimes: [],
            rsync: nil,
            cgroup: CgroupFacts(version: 1, controllers: ["memory"]),
            filesystems: ["ext4"],
            pools: pools,
            memoryAvailable: .gibibytes(4),
            bridges: ["br0"],
            instanceNames: instanceNames,
            addressesInUse: instanceAddresses,
            idRange: idRange,
            mountablePaths: [],
            pipeLimit: .mebibytes(1)
        )
    }
}

/// The one check of the fake world: the name must be free on the target.
struct NameCheck: Check {
    let name = "name"

    func findings(in comparison: Comparison) -> [Finding] {
        let name = comparison.options.newName ?? comparison.definition.name
        guard comparison.target.instanceNames.contains(name.text) else { return [] }
        return [Finding("name", cause: "\(name) is taken", cure: "choose another")]
    }
}
