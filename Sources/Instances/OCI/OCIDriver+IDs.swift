import Foundation
import LinuxHost
import MigrationCore
import Pages

extension OCIDriver {
    /// Makes the process images that have arrived those of an instance with the host ids that it
    /// has here. Another host may have given it others, also at an earlier time: the state of a
    /// snapshot keeps those under which it was taken.
    func takeIDs(_ definition: InstanceDefinition) throws {
        let files = files(definition)
        let former = try UserNamespaceImages.rewrite(in: files.images, to: definition.idMap)
        guard let change = IDChange(from: former, to: definition.idMap),
            SmallFile.exists(files.subgroups)
        else { return }
        let groups = try Subgroups(decoding: SmallFile.bytes(files.subgroups)).changed(change)
        try SmallFile.replace(files.subgroups, with: Array(JSONEncoder().encode(groups)))
    }
}
