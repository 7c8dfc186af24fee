import LinuxHost
import MigrationCore

/// Makes, opens, grows and removes lvm pools.
struct LVMMaker: Sendable {
    let definition: PoolDefinition
    /// Where volumes are mounted.
    private let root: String
    private let file: PoolFile
    private var name: String { definition.name }

    /// - Parameter directory: for what is made on this host, below the daemon's state.
    init(_ definition: PoolDefinition, below directory: String) {
        self.definition = definition
        root = "\(directory)/\(definition.name)"
        file = PoolFile(path: "\(root).img", pool: definition.name)
    }

    private enum Ground { case group(String), device(String), file }

    func create() async throws -> PoolDefinition {
        var made = definition
        switch try ground() {
        case .group(let group):
            let lvm = LVM(group: group, device: nil, hasUdev: hasUdev)
            try await require(lvm)
            try await makePool(ThinPool(lvm, name: foreignPool), size: definition.size)
        case .device(let device):
            guard definition.size == nil else { throw GodwitError.unsizable(name) }
            try await makeAll(on: device)
        case .file:
            // The loop device follows the file, whatever that is called.
            made.size = try await file.make(definition.size) { path in
                try await makeAll(on: attach(path))
            }
        }
        try Directories.make(root, mode: 0o711)
        // By which `open` knows it again.
        try Directories.make("\(root)/volumes", mode: 0o711)
        return made
    }

    /// Activates and mounts what is not: after a restart of the host nothing is.
    func open() async throws -> LVMPool {
        guard try FileStatus.of("\(root)/volumes")?.kind == .directory, let thin = try await find()
        else {
            throw GodwitError(
                .notFound, "the thin pool of \(name) is not there",
                remedy: "see that its disk is (`lvs -a`), and start the daemon again")
        }
        try await thin.activate([])
        let pool = LVMPool(name: name, path: root, thin: thin)
        _ = try await pool.facts()
        try await pool.wake()
        return pool
    }

    /// The pool, and the volumes in it that are smaller.
    func grow(to size: ByteCount) async throws -> PoolDefinition {
        let ground = try self.ground()
        if case .device = ground { throw GodwitError.unsizable(name) }
        guard let thin = try await find() else {
            throw GodwitError(.notFound, "the thin pool of \(name) is not there")
        }
        if case .file = ground {
            try file.requireGrowth(to: size, from: definition.size)
            try SparseFile.setSize(size, of: file.path)
            let device = try await attach(file.path)
            try await Losetup.see(device).check()
            try await thin.lvm.grow(device).check()
            try await extend(thin, to: nil, asLargeAs: size)
        } else {
            try await extend(thin, to: size, asLargeAs: size)
        }
        try await LVMPool(name: name, path: root, thin: thin).growVolumes()
        var grown = definition
        grown.size = size
        return grown
    }

    /// - Throws: `busy` if volumes are in it.
    func destroy() async throws {
        let thin = try await find()
        if let thin {
            try await thin.activate([])
            try? await LVMPool(name: name, path: root, thin: thin).removeLeftovers()
        }
        try DirectoryPool.destroy(at: root, isOurs: true)
        if let thin { try await thin.remove(thin.name) }
        switch try ground() {
        case .group: break
        case .device(let device): try await release(device)
        case .file:
            for path in [file.path, file.unfinished] where SmallFile.exists(path) {
                try await release(attach(path))
                for device in try await devices(of: path) {
                    try await Losetup.detach(device).check()
                }
                try SmallFile.remove(path)
            }
        }
    }
}

extension LVMMaker {
    /// What it is called among an operator's volumes.
    private var foreignPool: String { "godwit-\(name)" }
    /// In a group of its own.
    private static let ownPool = "pool"
    private static let ownGroups = "godwit-"

    private var hasUdev: Bool { SmallFile.exists("/run/udev/control") }

    private func ground() throws -> Ground {
        guard let source = definition.source else { return .file }
        guard source.hasPrefix("/") else {
            let isName = source.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                    || (0x61...0x7a).contains(byte) || [0x2b, 0x2d, 0x2e, 0x5f].contains(byte)
            }
            guard isName, !source.hasPrefix("-"), source.utf8.count <= 64 else {
                throw GodwitError(
                    .badRequest, "\"\(source.prefix(80))\" is no name of a volume group",
                    remedy: "give one that `vgs` shows, or the path of a block device")
            }
            return .group(source)
        }
        guard try FileStatus.following(source)?.kind == .blockDevice else {
            throw GodwitError(
                .badRequest, "\(source) is no block device",
                remedy: "name one, or a volume group, or leave the source out: a file is made then")
        }
        return .device(source)
    }

    /// The thin pool, if it has been made.
    private func find() async throws -> ThinPool? {
        switch try ground() {
        case .group(let group):
            let thin = ThinPool(
                LVM(group: group, device: nil, hasUdev: hasUdev), name: foreignPool)
            return try await isMade(thin) ? thin : nil
        case .device(let device): return try await find(on: device)
        case .file:
            for path in [file.path, file.unfinished] where SmallFile.exists(path) {
                if let thin = try await find(on: attach(path)) { return thin }
            }
            return nil
        }
    }

    /// The thin pool of a group that Godwit has made on the device.
    private func find(on device: String) async throws -> ThinPool? {
        guard let group = try await ownGroup(on: device) else { return nil }
        let thin = ThinPool(
            LVM(group: group, device: device, hasUdev: hasUdev), name: Self.ownPool)
        return try await isMade(thin) ? thin : nil
    }

    private func ownGroup(on device: String) async throws -> String? {
        guard try await Blkid.type(on: device) == Self.member else { return nil }
        return try await LVM.groups(on: device, hasUdev: hasUdev).check()
            .split(whereSeparator: \.isWhitespace).map(String.init)
            .first { $0.hasPrefix(Self.ownGroups) }
    }

    /// What blkid calls a device that LVM has.
    private static let member = "LVM2_member"

    private func isMade(_ thin: ThinPool) async throws -> Bool {
        let result = try await thin.lvm.volumes().run()
        guard result.status.isSuccess else { return false }
        return LVMVolume.all(result.text).contains { $0.name == thin.name }
    }

    private func require(_ lvm: LVM) async throws {
        guard try await !lvm.find().run().status.isSuccess else { return }
        throw GodwitError(
            .badRequest, "there is no volume group \(lvm.group)",
            remedy: "give one that `vgs` shows, or the path of a block device")
    }
}

extension LVMMaker {
    /// A group on the device and the pool in it, unless they are there.
    private func makeAll(on device: String) async throws {
        if try await find(on: device) != nil { return }
        let known = try await ownGroup(on: device)
        let found = try await Blkid.type(on: device)
        guard known != nil || found == nil else {
            throw occupied(device, by: "it has \(found ?? "something") on it")
        }
        let lvm = LVM(group: known ?? newGroup(), device: device, hasUdev: hasUdev)
        if known == nil {
            let command = lvm.makeGroup(on: device)
            let result = try await command.run()
            guard result.status.isSuccess else {
                throw occupied(device, by: command.failure(of: result).cause)
            }
        }
        try await makePool(ThinPool(lvm, name: Self.ownPool), size: nil)
    }

    /// The names of groups are the kernel's, which several hosts of a lab may share.
    private func newGroup() -> String { Self.ownGroups + randomDigits() }

    private func makePool(_ thin: ThinPool, size: ByteCount?) async throws {
        if try await isMade(thin) { return }
        let whole = if let size { size } else { try await room(in: thin.lvm) }
        try await thin.lvm.makePool(
            thin.name, size: size, metadata: Self.metadata(for: whole)
        ).check()
    }

    private func room(in lvm: LVM) async throws -> ByteCount {
        let text = try await lvm.room().check().filter { !$0.isWhitespace }
        return ByteCount(bytes: UInt64(text) ?? 0)
    }

    /// 128 bytes for each block of 64 KiB: twice what one volume that fills the pool takes. The
    /// kernel takes no more than 15.81 GiB.
    private static func metadata(for size: ByteCount) -> ByteCount {
        min(max(.mebibytes(size.bytes >> 29), .mebibytes(8)), .gibibytes(15))
    }

    private func extend(
        _ thin: ThinPool, to size: ByteCount?, asLargeAs whole: ByteCount
    ) async throws {
        try await thin.activate([])
        let volumes = LVMVolume.all(try await thin.lvm.volumes().check())
        guard let pool = volumes.first(where: { $0.name == thin.name }) else { return }
        let metadata = Self.metadata(for: whole)
        if let now = pool.metadata, now < metadata {
            try await thin.lvm.growMetadata(of: thin.name, to: metadata).check()
        }
        // An earlier call may have ended in between.
        if let size {
            guard pool.size < size else { return }
        } else {
            guard try await room(in: thin.lvm) > .zero else { return }
        }
        try await thin.lvm.grow(thin.name, to: size).check()
    }

    /// The device as it was before.
    private func release(_ device: String) async throws {
        guard let known = try await ownGroup(on: device) else { return }
        let lvm = LVM(group: known, device: device, hasUdev: hasUdev)
        try await lvm.removeGroup().check()
        try await lvm.release(device).check()
    }

    private func attach(_ path: String) async throws -> String {
        try await Losetup.attach(path).check().filter { !$0.isWhitespace }
    }

    private func devices(of path: String) async throws -> [String] {
        try await Losetup.devices(of: path).check()
            .split(whereSeparator: \.isWhitespace).map(String.init)
    }

    private func occupied(_ device: String, by cause: String?) -> GodwitError {
        GodwitError(
            .badRequest, "no volume group could be made on \(device)",
            remedy: "name a device that is empty (`wipefs` makes it so) and in no use",
            cause: cause)
    }
}
