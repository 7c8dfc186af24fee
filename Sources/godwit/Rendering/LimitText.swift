import MigrationCore

/// The lines of `godwit info NAME` that tell what the instance may use.
func limitLines(_ limits: ResourceLimits) -> [(String, String)] {
    var parts: [String] = []
    func add(_ title: String, _ value: String?) {
        if let value { parts.append("\(title) \(value)") }
    }
    add("memory", limits.memory.map(sizeText))
    add("memory reserved", limits.memoryReservation.map(sizeText))
    add("memory and swap", limits.memorySwap.map(sizeText))
    add("cpus", limits.cpuMillis.map { decimal(Double($0) / 1000, places: 1) })
    add("cpu weight", limits.cpuWeight.map { "\($0)" })
    add("cpuset", limits.cpuset?.description)
    add("processes", limits.processes.map { "\($0)" })
    add("io weight", limits.ioWeight.map { "\($0)" })
    let first = ("Limits", parts.isEmpty ? "none" : parts.joined(separator: " · "))
    return [first] + limits.ioLimits.map { ("IO limit", text($0)) }
        + limits.devices.map { ("Device", "\($0.path) (\($0.access))") }
        + (limits.delegatesCgroups ? [("Control groups", "its own to divide")] : [])
}

private func text(_ limit: IOLimit) -> String {
    let parts = [
        limit.readBytes.map { "read \(sizeText(ByteCount(bytes: $0)))/s" },
        limit.writeBytes.map { "write \(sizeText(ByteCount(bytes: $0)))/s" },
        limit.readOperations.map { "\($0) reads/s" },
        limit.writeOperations.map { "\($0) writes/s" },
    ]
    return "\(limit.device): " + parts.compactMap { $0 }.joined(separator: " · ")
}
