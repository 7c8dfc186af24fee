import LinuxHost
import MigrationCore

/// Makes, opens, grows and removes zfs pools.
struct ZfsMaker: Sendable {
    let definition: PoolDefinition
    let tools: ZfsTools
    /// Below which volumes are mounted; a zpool of our own has its files, or a link to its device,
    /// here.
    let root: String
    /// The first file of a zpool that has files.
    private let file: PoolFile
    private var name: String { definition.name }

    /// - Parameter directory: for what is made on this host, below the daemon's state.
    init(_ definition: PoolDefinition, below directory: String, tools: ZfsTools) {
        self.definition = definition
        self.tools = tools
        root = "\(directory)/\(definition.name)"
        file = PoolFile(path: "\(root)/zpool.img", pool: definition.name)
    }

    private enum Ground { case dataset(String), device(String), file }

    /// A zpool that Godwit makes.
    private var ownPool: String { "godwit-\(name)" }
    private var link: String { "\(root)/device" }
    private var isOwn: Bool { definition.source?.hasPrefix("/") ?? true }
    private var names: ZfsNames { ZfsNames(parent: isOwn ? ownPool : definition.source ?? "") }

    static let unmounted = ["canmount=off", "mountpoint=none"]
    /// Names the pool whose volumes are below a dataset.
    private static let mark = "godwit:pool"

    func create() async throws -> PoolDefinition {
        var made = definition
        switch try ground() {
        case .dataset(let dataset):
            try refuseSize()
            guard try await tools.values(["type"], of: dataset) == ["filesystem"] else {
                throw GodwitError(
                    .badRequest, "there is no filesystem \(dataset) of ZFS",
                    remedy: "name a zpool or a dataset that `zfs list` shows")
            }
            try Directories.make(root, mode: 0o711)
        case .device(let device):
            try refuseSize()
            try Directories.make(root, mode: 0o711)
            try await takeDevice(device)
        case .file:
            try Directories.make(root, mode: 0o711)
            made.size = try await file.make(definition.size) { try await makeFile($0) }
            try await importOwn()
        }
        try await makeVolumes()
        return made
    }

    /// Imports what is not imported: after a restart of the host nothing is.
    func open() async throws -> ZfsPool {
        try await importOwn()
        guard try await owner(of: names.volumes) == root else {
            throw GodwitError(
                .notFound, "\(names.parent) holds no pool of this host",
                remedy: "import its zpool, and start the daemon again")
        }
        try Directories.make("\(root)/volumes", mode: 0o711)
        let pool = ZfsPool(name: name, path: root, parent: names.parent, tools: tools)
        try await pool.settleAll()
        return pool
    }

    /// Gives the zpool a further file: zfs-fuse does not see one grow that it has open.
    func grow(to size: ByteCount) async throws -> PoolDefinition {
        guard case .file = try ground() else { throw GodwitError.unsizable(name) }
        try file.requireGrowth(to: size, from: definition.size)
        let now = definition.size ?? .zero
        let more = ByteCount(bytes: size.bytes - now.bytes)
        guard more >= Limit.smallestVdev else {
            throw GodwitError(
                .limitExceeded, "a zpool grows by 64 MiB at least",
                remedy: "give a size that is 64 MiB larger than now, or more")
        }
        try await importOwn()
        let further = "\(root)/zpool-\(size.bytes).img"
        // It is there already if an earlier call ended in between.
        if try await !tools.zpool.status(ownPool).check().contains(further) {
            try SparseFile.setSize(more, of: further)
            try await tools.run(tools.zpool.add(further, to: ownPool))
        }
        var grown = definition
        grown.size = size
        return grown
    }

    /// - Throws: `busy` if volumes are in it.
    func destroy() async throws {
        if isOwn {
            if try await isThere() {
                try await importOwn()
                try await destroyVolumes()
                try await tools.run(tools.zpool.destroy(ownPool))
            }
        } else if let source = definition.source, Self.isDataset(source) {
            try await destroyVolumes()
        }
        for name in try Directories.names(in: root)
        where name == "device" || name.hasPrefix("zpool") {
            try SmallFile.remove("\(root)/\(name)")
        }
        try Directories.removeEmpty("\(root)/volumes")
        try Directories.removeEmpty(root)
    }

    private func destroyVolumes() async throws {
        guard let owner = try await owner(of: names.volumes) else { return }
        guard owner == root else {
            // All of a zpool of our own would go with it.
            if isOwn { throw foreign }
            return
        }
        let hasKept = try await tools.exists(names.kept)
        let left =
            try await Self.names(below: names.volumes, tools)
            + (hasKept ? Self.names(below: names.kept, tools) : [])
        guard left.isEmpty else {
            throw GodwitError(
                .busy, "\(names.volumes) holds \(left.sorted().prefix(5).joined(separator: ", "))",
                remedy: "see whether it is still wanted, and destroy it")
        }
        if hasKept { try await tools.run(tools.zfs.destroy(names.kept)) }
        try await tools.run(tools.zfs.destroy(names.volumes))
    }

    private func ground() throws -> Ground {
        guard let source = definition.source else { return .file }
        guard source.hasPrefix("/") else {
            guard Self.isDataset(source) else {
                throw GodwitError(
                    .badRequest, "\"\(source.prefix(200))\" is no name of a dataset",
                    remedy: "name a zpool or a dataset that `zfs list` shows, or a device's path")
            }
            return .dataset(source)
        }
        // A device that is gone for now has left its link here.
        let kind = try FileStatus.following(source)?.kind
        guard try kind == .blockDevice || (kind == nil && FileStatus.of(link) != nil) else {
            throw GodwitError(
                .badRequest, "\(source) is not a block device",
                remedy: "name one, or a dataset, or leave the source out: a zpool is made in a "
                    + "file then")
        }
        return .device(source)
    }

    /// As zfs(8) has them, without a snapshot's.
    private static func isDataset(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return text.utf8.count < 200 && text.first?.isLetter == true
            && parts.allSatisfy { VolumeLayout.isUsable(String($0)) }
    }
}

extension ZfsMaker {
    /// The names of what is right below a dataset.
    static func names(below dataset: String, _ tools: ZfsTools) async throws -> [String] {
        let command = tools.zfs.children(of: dataset)
        let result = try await command.run(limit: Limit.datasetList)
        if let failure = Zfs.failure(result.status, said: result.errorText) { throw failure }
        return result.text.split(separator: "\n").filter { $0.hasPrefix(dataset + "/") }
            .map { String($0.dropFirst(dataset.count + 1)) }
            .filter(VolumeLayout.isUsable)
    }

    /// Whose volumes are below the dataset; nil if there is none, or it is nobody's.
    private func owner(of dataset: String) async throws -> String? {
        try await tools.values([Self.mark], of: dataset)?.first
    }

    private var foreign: GodwitError {
        GodwitError(
            .busy, "\(names.volumes) is not this pool's",
            remedy: "name another dataset, or see whether that one is still wanted")
    }

    private func makeVolumes() async throws {
        let volumes = names.volumes
        if try await !tools.exists(volumes) {
            // Access lists, and access times as the kernel's other filesystems keep them, are the
            // way of zfs-fuse that cannot be chosen.
            let modern = ["acltype=posixacl", "xattr=sa", "atime=on", "relatime=on"]
            try await tools.run(
                tools.zfs.create(
                    volumes,
                    Self.unmounted + ["\(Self.mark)=\(root)"]
                        + (await tools.isModern() ? modern : [])))
        }
        guard try await owner(of: volumes) == root else {
            throw foreign
        }
        try Directories.make("\(root)/volumes", mode: 0o711)
    }

    private func isImported() async throws -> Bool {
        try await tools.zpool.list(ownPool).run().status.isSuccess
    }

    private func isImportable() async throws -> Bool {
        guard try FileStatus.of(root) != nil else { return false }
        let command = tools.zpool.importable(from: try places())
        let result = try await command.run()
        let said = result.text + result.errorText
        let isNone = said.isEmpty || said.contains("no pools available")
        guard result.status.isSuccess || isNone else {
            throw command.failure(of: result)
        }
        return said.split(separator: "\n")
            .contains { $0.split(separator: " ") == ["pool:", Substring(ownPool)] }
    }

    /// Whether there is a zpool, imported or not, that may hold volumes.
    private func isThere() async throws -> Bool {
        if try await isImported() { return true }
        return try await isImportable()
    }

    /// Where the zpool is to be found: OpenZFS partitions a disk that it is given as a whole, and
    /// is in the first partition.
    private func places() throws -> [String] {
        let partition = try Partitions.first(of: link)
        return [root] + (partition.map { [$0] } ?? [])
    }

    private func importOwn() async throws {
        guard isOwn else { return }
        if try await isImported() {
            let owner = try await owner(of: "\(ownPool)/volumes")
            guard owner == nil || owner == root else { throw foreign }
            return
        }
        let places = try places()
        let command = tools.zpool.importing(
            ownPool, from: places, isOurs: definition.source == nil)
        let result = try await command.run()
        guard result.status.isSuccess else {
            throw GodwitError(
                .toolFailed, "the zpool \(ownPool) could not be imported for the pool \(name)",
                remedy: "see that its device is there and whole "
                    + "(`zpool import -d \(places.joined(separator: " -d "))`)",
                cause: command.failure(of: result).cause)
        }
    }

    private func takeDevice(_ device: String) async throws {
        if try FileStatus.of(link) != nil { try SmallFile.remove(link) }
        try Directories.link(device, at: link)
        if try await isThere() { return try await importOwn() }
        guard try await !isTaken(device) else {
            throw GodwitError(
                .badRequest, "\(device) holds something already",
                remedy: "name a device that is empty (`wipefs` makes it so) and in no use")
        }
        try await makePool(on: device)
    }

    private func isTaken(_ device: String) async throws -> Bool {
        let command = Blkid.anything(on: device)
        let result = try await command.run()
        if result.status == .exited(2) { return false }
        guard result.status.isSuccess else { throw command.failure(of: result) }
        return true
    }

    /// A zpool in the file, which it lets go of: the file gets another name.
    private func makeFile(_ path: String) async throws {
        if try await isThere() { try await importOwn() } else { try await makePool(on: path) }
        try await tools.run(tools.zpool.export(ownPool))
    }

    private func makePool(on path: String) async throws {
        let command = tools.zpool.create(ownPool, on: path)
        let result = try await command.run()
        guard !result.status.isSuccess else { return }
        throw GodwitError(
            .badRequest, "no zpool could be made on \(path)",
            remedy: "see the cause; a device has to be empty, and in no use",
            cause: command.failure(of: result).cause)
    }

    private func refuseSize() throws {
        guard definition.size == nil else { throw GodwitError.unsizable(name) }
    }
}
