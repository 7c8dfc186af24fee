extension Envelope {
    /// Reads what a peer sent, and refuses lists and words beyond the limits; the whole is bounded
    /// by `Limit.message` before it comes here.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        version = try container.decode(Int.self, forKey: .version)
        migration = try container.decode(MigrationID.self, forKey: .migration)
        message = try container.decode(Message.self, forKey: .message)
        try message.checkBounds()
    }
}

extension Message {
    /// - Throws: `limitExceeded` if any list or word in it is longer than a peer may make it.
    func checkBounds() throws(GodwitError) {
        switch self {
        case .offer(let offer): try offer.checkBounds()
        case .accepted(let acceptance): try acceptance.checkBounds()
        case .refused(let findings): try bounded(findings)
        case .arrived(let digests):
            try bounded(digests.volumes.count, by: Limit.volumesPerInstance, "volume digests")
            for (volume, digest) in digests.volumes { try bounded([volume, digest], "a digest") }
            try bounded([digests.checkpoint ?? ""], "a digest")
        case .finished(let receipt), .running(let receipt):
            try bounded(receipt.milliseconds.count, by: Limit.reportParts, "parts of a receipt")
            try bounded(Array(receipt.milliseconds.keys), "a part of a receipt")
            try receipt.loss?.checkBounds()
        case .declined(let reason), .abort(let reason), .lost(let reason): try reason.checkBounds()
        case .custody, .acknowledged, .closed, .inquire, .restoring: break
        }
    }
}

extension Offer {
    fileprivate func checkBounds() throws(GodwitError) {
        try bounded(capabilities.features.count, by: Limit.features, "features")
        try bounded(capabilities.features.map(\.name), "a feature")
        try definition.checkBounds()
        try bounded(instance.volumes.count, by: Limit.volumesPerInstance, "volumes")
        try bounded(instance.volumes.map(\.name), "a volume's name")
        for volume in instance.volumes {
            try bounded(volume.users?.count ?? 0, by: Limit.instances, "users of a volume")
        }
        try bounded(options.mounts?.count ?? 0, by: Limit.mountsPerInstance, "treated mounts")
        try bounded((options.mounts ?? [:]).map(\.key), "a mount's path")
        try bounded(instance.obstacles.count, by: Limit.findings, "obstacles")
        let snapshots = instance.snapshots ?? []
        try bounded(snapshots.count, by: Limit.snapshotsPerInstance, "snapshots")
    }
}

extension InstanceDefinition {
    fileprivate func checkBounds() throws(GodwitError) {
        try bounded(process.command.count, by: Limit.commandWords, "words of the command")
        try bounded(process.command, "a word of the command")
        try bounded(
            process.environment.count,
            by: Limit.environmentVariables,
            "environment variables"
        )
        try bounded(process.environment, "an environment variable")
        try bounded(interfaces.count, by: Limit.interfacesPerInstance, "interfaces")
        for interface in interfaces {
            try bounded(interface.addresses.count, by: Limit.addressesPerInterface, "addresses")
            try bounded(interface.gateways.count, by: Limit.addressesPerInterface, "gateways")
        }
        try bounded(mounts.count, by: Limit.mountsPerInstance, "mounts")
        try bounded(mounts.flatMap { [$0.hostPath, $0.path] }, "a mount's path")
        try limits.validate()
        let kept = Int(snapshotSchedule?.keptSeconds ?? 0)
        try bounded(kept, by: Int(Limit.snapshotSeconds), "seconds for which snapshots are kept")
    }
}

extension Acceptance {
    fileprivate func checkBounds() throws(GodwitError) {
        try bounded(features.count, by: Limit.features, "features")
        try bounded(plan.steps.count, by: Limit.planSteps, "steps of the plan")
        try bounded(plan.warnings)
        try bounded(plan.mounts?.count ?? 0, by: Limit.mountsPerInstance, "mounts of the plan")
        try bounded((plan.mounts ?? [:]).map(\.key), "a mount's path")
    }
}

extension GodwitError {
    fileprivate func checkBounds() throws(GodwitError) {
        try bounded([message, remedy ?? "", cause ?? ""], "an error's text")
        try bounded(findings)
    }
}

private func bounded(_ findings: [Finding]) throws(GodwitError) {
    try bounded(findings.count, by: Limit.findings, "findings")
    for finding in findings {
        try bounded([finding.check, finding.cause, finding.cure], "a finding")
    }
}

private func bounded(_ words: [String], _ what: String) throws(GodwitError) {
    let limit = Limit.word.bytes
    for word in words where UInt64(word.utf8.count) > limit {
        throw GodwitError(
            .limitExceeded,
            "\(what) in the peer's message is longer than \(limit) bytes"
        )
    }
}

private func bounded(_ count: Int, by limit: Int, _ what: String) throws(GodwitError) {
    guard count <= limit else {
        throw GodwitError(
            .limitExceeded,
            "the peer's message has \(count) \(what) where \(limit) are allowed"
        )
    }
}
