package import MigrationCore
import NIOHTTP1

/// The host's pools.
extension HostClient {
    /// Names that a daemon would refuse are refused here: they could lead to another path.
    func poolPath(_ name: String) throws -> String {
        try PoolDefinition(name: name, kind: .directory).validate()
        return name
    }

    package func pools() async throws -> [PoolView] {
        try await get([PoolShape].self, "/1.0/storage-pools").map(\.godwit)
    }

    package func pool(_ name: String) async throws -> PoolView {
        try await get(PoolShape.self, "/1.0/storage-pools/\(try poolPath(name))").godwit
    }

    package func createPool(_ definition: PoolDefinition) async throws {
        let _: Nothing = try await send(
            .POST, "/1.0/storage-pools", PoolsPost(definition))
    }

    package func growPool(_ name: String, to size: ByteCount) async throws {
        let _: Nothing = try await send(
            .PUT, "/1.0/storage-pools/\(try poolPath(name))", PoolPut(size: size))
    }

    package func prunePool(_ name: String) async throws -> [KeptCopy] {
        try await send(.DELETE, "/1.0/storage-pools/\(try poolPath(name))/kept", Nothing())
    }

    package func deletePool(_ name: String) async throws {
        _ = try await answer(.DELETE, "/1.0/storage-pools/\(try poolPath(name))")
    }
}
