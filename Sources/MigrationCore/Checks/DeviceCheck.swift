/// A device does not travel: the target must have the same one, or another that limits name.
struct DeviceCheck: Check {
    let name = "devices"

    func findings(in comparison: Comparison) -> [Finding] {
        // A host that does not tell what it has lacks nothing.
        guard let there = comparison.target.devices else { return [] }
        let here = comparison.source.devices ?? [:]
        let limits = comparison.definition.limits
        return limits.devices.compactMap { device in
            finding(device.path, here: here[device.path], there: there[device.path])
        }
            + limits.ioLimits.filter { there[$0.device]?.isBlock != true }.map { limit in
                Finding(
                    name, .warning,
                    cause: "the target has no block device \(limit.device), whose io is limited",
                    cure: "the instance goes without this limit there; or name another device"
                )
            }
    }

    private func finding(
        _ path: String, here: DeviceNumber?, there: DeviceNumber?
    ) -> Finding? {
        guard let there else {
            return Finding(
                name, cause: "the target has no device \(path)",
                cure: "load its driver there, or start the instance without --device \(path)")
        }
        guard let here, here != there else { return nil }
        return Finding(
            name, cause: "\(path) is \(here) on the source and \(there) on the target",
            cure: "give the device the same number there, or start the instance without it")
    }
}
