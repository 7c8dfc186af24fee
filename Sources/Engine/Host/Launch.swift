import Foundation
import Logging
package import MigrationCore

extension HostService {
    package func launch(_ request: LaunchRequest) async throws {
        try recoverOnce()
        try validate(request)
        switch request.root {
        case .path(let path):
            try await launch(request, from: nil) { root, idMap in
                try await importer.importRoot(from: path, into: root, idMap: idMap)
            }
        case .image(let name):
            let image = try record(of: name).image
            try await using(image) {
                let origin = InstanceImage(digest: image.digest, name: name)
                try await launch(request, from: origin) { root, idMap in
                    try await fill(request, with: image, at: root, idMap)
                    return image.defaults
                }
            }
        }
    }

    private func fill(
        _ request: LaunchRequest, with image: StoredImage, at root: String, _ idMap: IDMap?
    ) async throws {
        guard let pool = try equipment.pool(request.pool) as? any LayerSharing else {
            return try await imageStore.unpack(image, into: root, idMap: idMap)
        }
        try await pool.fill(request.name.text, with: image, from: imageStore, idMap: idMap)
    }

    private func launch(
        _ request: LaunchRequest, from image: InstanceImage?,
        _ fill: (String, IDMap?) async throws -> ImageDefaults
    ) async throws {
        var made = try definition(request)
        made.image = image
        try await requireNetwork(of: made)
        try await give(made.namedVolumes, to: made)
        let pool = try equipment.pool(request.pool)
        let volume = request.name.text
        var record = InstanceRecord(
            definition: made,
            isWanted: request.starts,
            isArriving: true
        )
        guard try store.instance(request.name) == nil, await !pool.hasVolume(volume) else {
            throw GodwitError.taken(request.name)
        }
        try requireUsable(made.namedVolumes)
        record.ownsVolume = true
        try store.insert(record)
        do {
            let root = try await pool.createVolume(volume)
            let defaults = try await fill(root, made.idMap)
            record.definition.process = try process(request, defaults, root: root)
            record.isArriving = false
            record.ownsVolume = false
            let finished = record
            try store.change(request.name, lockedBy: nil) { $0 = finished }
        } catch {
            await undoLaunch(record)
            throw error
        }
        tell(request.name, .created)
        if request.starts { try await start(request.name, .ifKept) }
    }

    /// - Throws: `refused` where the instance's published ports or macvlans cannot be.
    private func requireNetwork(of definition: InstanceDefinition) async throws {
        guard definition.ports != nil || definition.interfaces.contains(where: \.isMacvlan) else {
            return
        }
        let host = try await equipment.hostFacts(for: definition)
        let findings =
            PortCheck().findings(launching: definition, on: host)
            + ParentCheck().findings(launching: definition, on: host)
        guard let finding = findings.first else { return }
        throw GodwitError(.refused, finding.cause, remedy: finding.cure)
    }

    /// Removes what a launch that did not come to its end has left.
    func undoLaunch(_ record: InstanceRecord) async {
        let name = record.definition.name
        do {
            let pool = try equipment.pool(record.definition.pool)
            if record.ownsVolume { try await pool.deleteVolume(name.text) }
            try store.remove(name, lockedBy: nil)
        } catch {
            logger.error(
                "what a launch left could not be removed",
                metadata: ["instance": "\(name)", "error": "\(error)"]
            )
        }
    }

    private func validate(_ request: LaunchRequest) throws {
        try request.limits.validate()
        let counts = [
            ("interfaces", request.interfaces.count, Limit.interfacesPerInstance),
            ("mounts", request.mounts.count, Limit.mountsPerInstance),
            ("words in the command", request.command.count, Limit.commandWords),
            ("environment variables", request.environment.count, Limit.environmentVariables),
        ]
        for (what, count, limit) in counts where count > limit {
            throw GodwitError(.limitExceeded, "\(count) \(what) are more than \(limit)")
        }
        var words = request.command + request.environment
        if case .path(let path) = request.root { words.append(path) }
        guard words.allSatisfy({ $0.utf8.count <= Limit.word.bytes && !$0.utf8.contains(0) }) else {
            throw GodwitError(.limitExceeded, "a word is longer than \(Limit.word.bytes) bytes")
        }
        if let entry = request.environment.first(where: { !$0.contains("=") }) {
            throw GodwitError(
                .badRequest,
                "the environment entry \"\(entry.prefix(80))\" has no value",
                remedy: "write it as NAME=value"
            )
        }
    }

    /// - Throws: `badRequest` for an interface of which the kernel cannot be asked.
    private func definition(_ request: LaunchRequest) throws -> InstanceDefinition {
        let definition = described(request)
        try requireUsable(definition.interfaces)
        try definition.requireUsableMounts()
        return definition
    }

    /// - Throws: `badRequest` with the first fault.
    func requireUsable(_ interfaces: [InterfaceDefinition]) throws {
        for interface in interfaces {
            guard let fault = interface.faults.first else { continue }
            throw GodwitError(
                .badRequest, "the interface \(interface.name): \(fault)",
                remedy: "give names of interfaces, addresses such as 10.0.0.5/24 or fd00::5/64, "
                    + "and gateways without a prefix length")
        }
    }

    private func described(_ request: LaunchRequest) -> InstanceDefinition {
        InstanceDefinition(
            name: request.name,
            process: ProcessDefinition(command: request.command),
            limits: request.limits,
            idMap: request.isPrivileged ? nil : configuration.idMap,
            interfaces: request.interfaces.enumerated()
                .map { number, interface in
                    InterfaceDefinition(
                        name: "eth\(number)",
                        bridge: interface.bridge,
                        hardwareAddress: interface.hardwareAddress?.lowercased()
                            ?? randomHardwareAddress(),
                        addresses: interface.addresses,
                        gateways: interface.gateways,
                        mtu: interface.mtu ?? InterfaceDefinition.usualMTU,
                        routes: interface.routes,
                        nicType: interface.nicType
                    )
                },
            mounts: request.mounts,
            ports: request.ports.isEmpty ? nil : request.ports,
            pool: request.pool,
            created: .now,
            uuid: .random()
        )
    }

    /// What was asked for, else what the image says, else a shell as root.
    private func process(
        _ request: LaunchRequest,
        _ defaults: ImageDefaults,
        root: String
    ) throws -> ProcessDefinition {
        let command = request.command.isEmpty ? defaults.command : request.command
        let owner = try defaults.user.map { try user($0, root: root) } ?? (0, 0)
        let environment = merged(
            [ProcessDefinition.defaultEnvironment, defaults.environment, request.environment]
        )
        return ProcessDefinition(
            command: command.isEmpty ? ["/bin/sh"] : command,
            environment: environment,
            workingDirectory: request.workingDirectory ?? defaults.workingDirectory ?? "/",
            userID: request.userID ?? owner.0,
            groupID: request.groupID ?? owner.1
        )
    }
}

/// Locally administered, unicast; the rest is random.
func randomHardwareAddress() -> String {
    let bytes = [UInt8(2)] + (0..<5).map { _ in UInt8.random(in: .min ... .max) }
    return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
}

/// Later lists win; the first mention of a name decides its place.
func merged(_ lists: [[String]]) -> [String] {
    var order: [Substring] = []
    var values: [Substring: String] = [:]
    for entry in lists.joined() {
        let name = entry.prefix { $0 != "=" }
        if values.updateValue(entry, forKey: name) == nil { order.append(name) }
    }
    return order.compactMap { values[$0] }
}

/// Reads an image's `USER`: `uid`, `uid:gid`, or a name from the image's own /etc/passwd.
func user(_ text: String, root: String) throws -> (UInt32, UInt32) {
    let parts = text.split(separator: ":", maxSplits: 1)
    guard let first = parts.first else { return (0, 0) }
    let group = parts.count > 1 ? UInt32(parts[1]) : nil
    if let number = UInt32(first) { return (number, group ?? 0) }
    let path = root + "/etc/passwd"
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    // A link could lead out of the volume.
    guard attributes?[.type] as? FileAttributeType == .typeRegular,
        let size = attributes?[.size] as? UInt64, size <= Limit.smallFile.bytes,
        let data = FileManager.default.contents(atPath: path)
    else { throw unknownUser(first) }
    for line in String(decoding: data, as: UTF8.self).split(separator: "\n") {
        let fields = line.split(separator: ":", omittingEmptySubsequences: false)
        guard fields.count >= 4, fields[0] == first, let uid = UInt32(fields[2]) else { continue }
        return (uid, group ?? UInt32(fields[3]) ?? 0)
    }
    throw unknownUser(first)
}

private func unknownUser(_ name: Substring) -> GodwitError {
    GodwitError(
        .badRequest,
        "the image wants to run as user \(name), which its /etc/passwd does not have",
        remedy: "give the user and group by number"
    )
}
