import Foundation
import LinuxHost
import MigrationCore
import Storage
import TestSupport
import Testing

typealias VolumePool = PoolDriver & VolumeSending & VolumeReceiving & VolumeDigesting

/// The kinds of two pools that the conformance suite runs through. A new driver is a few more.
struct Pairing: Sendable, CustomTestStringConvertible {
    let source: PoolKind
    let target: PoolKind

    static let all = (everywhere + lvm + zfs).filter {
        only == nil || [$0.source, $0.target].contains(only)
    }

    private static let everywhere = [
        Pairing(source: .directory, target: .directory),
        Pairing(source: .directory, target: .btrfs), Pairing(source: .btrfs, target: .directory),
        Pairing(source: .btrfs, target: .btrfs),
        Pairing(source: .overlay, target: .overlay),
        Pairing(source: .overlay, target: .directory),
        Pairing(source: .directory, target: .overlay),
    ]

    /// Where the kernel has device-mapper: in the job `pools` of the VM lab.
    private static let lvm =
        hasThinPools
        ? [
            Pairing(source: .lvm, target: .lvm), Pairing(source: .directory, target: .lvm),
            Pairing(source: .lvm, target: .directory),
        ] : []

    /// None where ZFS cannot run, which the tests of zfs pools tell.
    private static let zfs =
        TestedZfs.obstacle == nil
        ? [
            Pairing(source: .zfs, target: .zfs), Pairing(source: .directory, target: .zfs),
            Pairing(source: .zfs, target: .directory),
        ] : []
    /// For machines of the VM lab: the other kinds have been through the same on the machine that
    /// starts them.
    static let only = ProcessInfo.processInfo.environment["GODWIT_PAIRINGS"].flatMap(
        PoolKind.init(rawValue:))

    static let alike = all.filter { $0.source == $0.target }
    static let byRsync = all.filter { $0.source == .directory || $0.target == .directory }

    var testDescription: String { "\(source.rawValue) to \(target.rawValue)" }
}

/// Whether the kernel has thin pools, and LVM is installed.
let hasThinPools: Bool = {
    let devices = (try? SmallFile.text("/proc/devices")) ?? ""
    return devices.contains("device-mapper") && SmallFile.exists("/usr/sbin/lvm")
}()

/// A pool below the path; on btrfs, zfs and LVM, in a file of its own.
func makePool(
    _ kind: PoolKind, _ name: String, at path: String, size: ByteCount = .gibibytes(1),
    zfs: TestedZfs? = nil
) async throws -> any VolumePool {
    guard kind != .directory else { return DirectoryPool(name: name, path: path) }
    let maker = PoolMaker(stateDirectory: path, zfs: zfs?.tools ?? ZfsTools())
    let definition = PoolDefinition(
        name: name, kind: kind, size: [.btrfs, .zfs, .lvm].contains(kind) ? size : nil)
    return try await maker.open(maker.create(definition))
}

extension TestedZfs {
    var tools: ZfsTools { ZfsTools(zfs: zfs, zpool: zpool) }

    /// A script without what zfs-fuse cannot do: to it access lists are attributes like others, of
    /// which a file's mode says nothing.
    func fitting(_ script: String) -> String {
        Self.isInKernel ? script : script.replacing("setfacl", with: ": setfacl")
    }

    /// Datasets and snapshots below a name that nobody else has, without it.
    func names(below parent: String) async throws -> [String] {
        try await Command(
            zfs, ["list", "-H", "-r", "-t", "filesystem,snapshot", "-o", "name", parent]
        ).check().split(separator: "\n").filter { $0.hasPrefix(parent + "/") }
            .map { String($0.dropFirst(parent.count + 1)) }
    }
}

/// A volume `v` on two hosts, and the two passes between them.
struct PoolPair: Sendable {
    let source: any VolumePool
    let target: any VolumePool
    let here: String
    let there: String
    /// The best that both have.
    let method: VolumeMethod
    /// What is beside the two trees, with them.
    private let places: [[String]]
    private let zfs: TestedZfs?
    /// zfs-fuse cuts times to whole seconds.
    private let cutsTimes: Bool

    static func with<Value>(
        _ pairing: Pairing, _ body: (PoolPair) async throws -> Value
    ) async throws -> Value {
        try await withGround(pairing) { scratch, zfs in
            try await body(
                try await PoolPair(pairing, scratch, target: "\(scratch)/b", zfs: zfs))
        }
    }

    /// A folder for two pools, with ZFS where one of them needs it.
    static func withGround<Value>(
        _ pairing: Pairing, _ body: (String, TestedZfs?) async throws -> Value
    ) async throws -> Value {
        try await withScratch { scratch in
            guard [pairing.source, pairing.target].contains(.zfs) else {
                return try await body(scratch, nil)
            }
            return try await TestedZfs.with(below: scratch) { try await body(scratch, $0) }
        }
    }

    init(
        _ pairing: Pairing, _ scratch: String, target path: String,
        targetSize: ByteCount = .gibibytes(1), zfs: TestedZfs? = nil
    ) async throws {
        let source = try await makePool(pairing.source, "one", at: "\(scratch)/a", zfs: zfs)
        let target = try await makePool(
            pairing.target, "other", at: path, size: targetSize, zfs: zfs)
        here = try await source.createVolume("v")
        there = try await target.createVolume("v")
        method = source.methods.first(where: target.methods.contains) ?? .rsync
        (self.source, self.target) = (source, target)
        places = try [here, there].map { try Directories.names(in: Directories.parent(of: $0)) }
        self.zfs = zfs
        cutsTimes =
            !TestedZfs.isInKernel && pairing.source != .zfs && pairing.target == .zfs
    }

    func fitting(_ script: String) -> String { zfs?.fitting(script) ?? script }

    /// Cuts the times of the source's files to what the target can keep, as each pass does.
    func fitTimes() async throws {
        if cutsTimes { try await cutTimes(below: here) }
    }

    @discardableResult
    func firstPass(cutAfter: Int? = nil) async throws -> Int {
        try await pass(cutAfter) { stream in
            try await source.sendWhileRunning("v", by: method, over: stream) { _ in }
        } receive: { stream in
            try await target.receiveWhileRunning("v", by: method, from: stream)
        }
    }

    func nextPass() async throws {
        try await pass(nil) { stream in
            try await source.sendAgain("v", by: method, over: stream) { _ in }
        } receive: { stream in
            try await target.receiveAgain("v", by: method, from: stream)
        }
    }

    @discardableResult
    func snapshot(_ name: String, _ sending: any SnapshotSending) async throws -> Int {
        try await pass(nil) { stream in
            try await sending.sendSnapshot(name, of: "v", over: stream) { _ in }
        } receive: { stream in
            try await target.receiveAfterCheckpoint("v", by: .rsync, from: stream)
        }
    }

    @discardableResult
    func delta(mapped: Set<String> = [], cutAfter: Int? = nil) async throws -> Int {
        try await pass(cutAfter) { stream in
            try await source.sendAfterCheckpoint("v", by: method, mapped: mapped, over: stream) {
                _ in
            }
        } receive: { stream in
            try await target.receiveAfterCheckpoint("v", by: method, from: stream)
        }
    }

    /// Runs both ends to their end; throws what the source threw, or else the target.
    ///
    /// - Returns: bytes that the source sent.
    @discardableResult
    private func pass(
        _ cutAfter: Int?, send: @escaping @Sendable (any ByteStream) async throws -> Void,
        receive: @escaping @Sendable (any ByteStream) async throws -> Void
    ) async throws -> Int {
        try await fitTimes()
        let (one, other) = MemoryStream.pair(cutAfter: cutAfter)
        let received = Task { try await receive(other) }
        let sent = await Task { try await send(one) }.result
        let arrived = await received.result
        try sent.get()
        try arrived.get()
        return one.sent
    }

    /// Fails the test unless both trees are the same to us and to rsync.
    func expectEqual(mapped: Set<String> = []) async throws {
        let (one, other) = try await (
            source.digest(of: "v", mapped: mapped), target.digest(of: "v", mapped: mapped)
        )
        let rest = try await differences(here, there)
        #expect(rest == "")
        #expect(one == other)
    }

    /// Fails the test unless nothing but the volume is left on both sides.
    func expectClean() async throws {
        try await source.cleanUpAfterSending("v")
        try await target.cleanUpAfterReceiving("v")
        for (path, place) in zip([here, there], places) {
            #expect(try Directories.names(in: Directories.parent(of: path)) == place)
        }
        for (pool, name) in [(source, "one"), (target, "other")] where pool.driver == "zfs" {
            let left = try await zfs?.names(below: "godwit-\(name)")
            #expect(left == ["volumes", "volumes/v", "volumes/v/rootfs"])
        }
    }
}

/// Takes the fractions from the times of all files that have any.
private func cutTimes(below path: String) async throws {
    let script = """
        import os, sys
        def cut(path):
            try:
                status = os.lstat(path)
                whole = status.st_mtime_ns // 10**9 * 10**9
                if whole != status.st_mtime_ns:
                    os.utime(path, ns=(status.st_atime_ns, whole), follow_symlinks=False)
            except FileNotFoundError: pass
        root = os.fsencode(sys.argv[1])
        for place, directories, files in os.walk(root, topdown=False):
            for name in directories + files: cut(os.path.join(place, name))
        cut(root)
        """
    try await Command("python3", ["-c", script, path]).check()
}
