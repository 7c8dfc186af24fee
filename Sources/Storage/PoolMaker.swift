import LinuxHost
package import MigrationCore

/// Makes and opens the pools of one host.
package struct PoolMaker: PoolMaking {
    /// The daemon's; pools without a source of their own are below it.
    private let stateDirectory: String

    private let zfsTools: ZfsTools

    package init(stateDirectory: String, zfs: ZfsTools = ZfsTools()) {
        self.stateDirectory = stateDirectory
        zfsTools = zfs
    }

    package func create(_ definition: PoolDefinition) async throws -> PoolDefinition {
        switch definition.kind {
        case .directory:
            guard definition.size == nil else { throw GodwitError.unsizable(definition.name) }
            return try DirectoryPool.create(definition, at: path(of: definition))
        case .btrfs: return try await btrfs(definition).create()
        case .overlay:
            guard definition.size == nil else { throw GodwitError.unsizable(definition.name) }
            return try await overlay(definition).create()
        case .shared:
            guard definition.size == nil else { throw GodwitError.unsizable(definition.name) }
            return try shared(definition).create()
        case .lvm: return try await lvm(definition).create()
        case .zfs: return try await zfs(definition).create()
        }
    }

    package func open(_ definition: PoolDefinition) async throws -> any MigratingPool {
        switch definition.kind {
        case .directory: try DirectoryPool.open(definition, at: path(of: definition))
        case .btrfs: try await btrfs(definition).open()
        case .overlay: try await overlay(definition).open()
        case .shared: try shared(definition).open()
        case .lvm: try await lvm(definition).open()
        case .zfs: try await zfs(definition).open()
        }
    }

    package func grow(
        _ definition: PoolDefinition, to size: ByteCount
    ) async throws -> PoolDefinition {
        switch definition.kind {
        case .btrfs: try await btrfs(definition).grow(to: size)
        case .zfs: try await zfs(definition).grow(to: size)
        case .lvm: try await lvm(definition).grow(to: size)
        case .directory, .overlay, .shared: throw GodwitError.unsizable(definition.name)
        }
    }

    package func destroy(_ definition: PoolDefinition) async throws {
        switch definition.kind {
        case .directory:
            try DirectoryPool.destroy(
                at: path(of: definition), isOurs: definition.source == nil)
        case .btrfs: try await btrfs(definition).destroy()
        case .overlay: try await overlay(definition).destroy()
        // What is there may be other hosts'.
        case .shared: break
        case .lvm: try await lvm(definition).destroy()
        case .zfs: try await zfs(definition).destroy()
        }
    }

    private func path(of definition: PoolDefinition) -> String {
        definition.source ?? "\(pools)/\(definition.name)"
    }

    private func btrfs(_ definition: PoolDefinition) -> BtrfsMaker {
        BtrfsMaker(definition, below: pools)
    }

    private func overlay(_ definition: PoolDefinition) -> OverlayMaker {
        OverlayMaker(definition: definition, path: path(of: definition))
    }

    private func shared(_ definition: PoolDefinition) -> SharedMaker {
        SharedMaker(definition: definition, markFile: "\(stateDirectory)/host-mark")
    }

    private func zfs(_ definition: PoolDefinition) -> ZfsMaker {
        ZfsMaker(definition, below: pools, tools: zfsTools)
    }

    private func lvm(_ definition: PoolDefinition) -> LVMMaker {
        LVMMaker(definition, below: pools)
    }

    private var pools: String { "\(stateDirectory)/pools" }
}
