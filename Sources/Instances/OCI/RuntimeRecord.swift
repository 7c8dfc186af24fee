import Foundation
import LinuxHost
import MigrationCore

/// What the monitor must know of an instance; it is a process of its own.
struct RuntimeRecord: Codable, Equatable, Sendable {
    var configuration: OCIConfiguration
    var definition: InstanceDefinition
    var root: String
    /// The host ends stay down until the driver sets them up: the instance is being restored.
    var isSilent: Bool
    var keepsConnections: Bool
    /// What arrives is kept until the driver delivers it.
    var isHeld: Bool?

    var files: InstanceFiles { configuration.files(of: definition.name) }

    static func read(_ path: String) throws -> RuntimeRecord {
        do {
            let bytes = try SmallFile.bytes(path)
            return try JSONDecoder().decode(RuntimeRecord.self, from: Data(bytes))
        } catch let error as DecodingError {
            throw GodwitError(
                .stateUnreadable, "\(path) is not a runtime record", cause: "\(error)")
        }
    }

    func write() throws {
        try SmallFile.replace(files.record, with: try encodedJSON(self))
    }
}

/// Sorted and indented, the same for equal values.
func encodedJSON(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(value))
}
