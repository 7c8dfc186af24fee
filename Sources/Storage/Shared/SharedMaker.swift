import LinuxHost
import MigrationCore

/// Makes and opens pools in directories that other hosts see as well.
struct SharedMaker: Sendable {
    let definition: PoolDefinition
    /// Below the daemon's state: says who this host is.
    let markFile: String

    /// One that another host has made is used as it is.
    ///
    /// - Throws: `badRequest` without a directory.
    func create() throws -> PoolDefinition {
        guard let source = definition.source else {
            throw GodwitError(
                .badRequest, "the pool \(definition.name) needs a directory that both hosts see",
                remedy: "give it as source=DIRECTORY")
        }
        return try DirectoryPool.create(definition, at: source)
    }

    /// - Throws: `notFound` where no pool was made, or its filesystem is not mounted.
    func open() throws -> SharedPool {
        let source = definition.source ?? ""
        _ = try DirectoryPool.open(definition, at: source)
        return SharedPool(
            name: definition.name, path: source, host: try HostMark.read(markFile))
    }
}
