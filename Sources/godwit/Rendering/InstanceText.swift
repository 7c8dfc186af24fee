package import MigrationCore

/// What `godwit list` shows.
package func listText(_ views: [InstanceView]) -> String {
    let rows = views.map { view in
        [
            view.definition.name.text, statusText(view),
            view.definition.interfaces.flatMap(\.addresses).joined(separator: " "),
            view.observation.status == .stopped ? "" : "\(view.observation.processes)",
            view.observation.status == .stopped ? "" : sizeText(view.observation.memory),
            "\(view.snapshots.count)",
        ]
    }
    return table(
        ["NAME", "STATUS", "ADDRESSES", "PROCESSES", "MEMORY", "SNAPSHOTS"], rows,
        empty: "no instances; make one with `godwit launch IMAGE NAME`")
}

package func statusText(_ view: InstanceView) -> String {
    view.migration == nil ? view.observation.status.rawValue : "migrating"
}

/// What `godwit info NAME` shows.
package func infoText(_ view: InstanceView) -> String {
    let definition = view.definition
    var lines: [(String, String)] = [
        ("Name", definition.name.text),
        ("Status", statusText(view)),
    ]
    if let migration = view.migration { lines.append(("Migration", migration.text)) }
    if let state = view.state { lines.append(("Saved state", stateText(state))) }
    lines.append(("Kind", definition.kind.rawValue))
    lines.append(("Created", "\(momentText(definition.created)) UTC"))
    if let image = definition.image {
        lines.append(("Image", "\(image.name) (\(image.digest))"))
    }
    lines += processLines(view)
    lines += limitLines(definition.limits)
    lines.append(("User namespace", idMapText(definition.idMap)))
    lines.append(("Pool", definition.pool))
    lines += definition.mounts.map { mount in
        let source = mount.volume.map { "volume \($0)" } ?? mount.hostPath
        return ("Mount", "\(mount.path) from \(source)\(mount.isReadOnly ? ", read-only" : "")")
    }
    lines += definition.interfaces.map { ("Interface", interfaceText($0)) }
    lines += (definition.ports ?? []).map { ("Published", $0.description) }
    if let schedule = definition.snapshotSchedule {
        lines.append(("Schedule", scheduleText(schedule)))
    }
    lines += view.snapshots.map { ("Snapshot", snapshotText($0)) }
    return pairs(lines)
}

private func stateText(_ state: SavedState) -> String {
    let text = "\(sizeText(state.bytes)) of \(momentText(state.created)) UTC"
    return state.phase == .kept ? text : text + ", going on from it was cut off"
}

private func scheduleText(_ schedule: SnapshotSchedule) -> String {
    let kept = schedule.keptSeconds.map { "kept for \(durationText($0))" } ?? "kept"
    return "\(schedule.times), \(kept)\(schedule.isStateful ? ", stateful" : "")"
}

/// As a command takes it.
func durationText(_ seconds: UInt32) -> String {
    for (size, unit) in [(86_400, "d"), (3_600, "h"), (60, "m")] as [(UInt32, String)]
    where seconds.isMultiple(of: size) { return "\(seconds / size)\(unit)" }
    return "\(seconds)s"
}

/// In the words of LXD: `snap0 (taken at 2026-11-27 10:00:00 UTC) (stateless)`.
package func snapshotText(_ snapshot: Snapshot) -> String {
    let expiry = snapshot.expires.map { " (expires at \(momentText($0)) UTC)" } ?? ""
    let size = snapshot.stateBytes.map { ", \(sizeText($0))" } ?? ""
    return "\(snapshot.name) (taken at \(momentText(snapshot.created)) UTC) "
        + "(\(snapshot.isStateful ? "stateful" : "stateless")\(size))\(expiry)"
}

private func processLines(_ view: InstanceView) -> [(String, String)] {
    let process = view.definition.process
    let observation = view.observation
    var lines = [
        ("Command", process.command.map(quoted).joined(separator: " ")),
        ("User", "\(process.userID):\(process.groupID) in \(process.workingDirectory)"),
    ]
    if let pid = observation.pid { lines.append(("PID", "\(pid)")) }
    if let status = observation.exitStatus { lines.append(("Exit status", "\(status)")) }
    if observation.status == .stopped { return lines }
    let seconds = Double(observation.cpuNanoseconds) / 1e9
    lines.append(("Processes", "\(observation.processes)"))
    let peak = observation.memoryPeak.map { ", at most \(sizeText($0))" } ?? ""
    lines.append(("Memory", sizeText(observation.memory) + peak))
    lines.append(("CPU time", "\(decimal(seconds, places: 1)) s"))
    if let io = observation.io {
        lines.append(("IO", "\(sizeText(io.read)) read · \(sizeText(io.written)) written"))
    }
    return lines
}

private func idMapText(_ map: IDMap?) -> String {
    map.map { "ids 0–\($0.count - 1) are \($0.hostStart) and up on the host" }
        ?? "none (privileged)"
}

private func interfaceText(_ interface: InterfaceDefinition) -> String {
    var text = "\(interface.name) on \(interface.bridge), \(interface.hardwareAddress)"
    if !interface.addresses.isEmpty { text += ", \(interface.addresses.joined(separator: " "))" }
    if !interface.gateways.isEmpty { text += " via \(interface.gateways.joined(separator: " "))" }
    if interface.isMacvlan { text += ", macvlan" }
    if let cable = interface.cable { text += ", joined to its network through \(cable.other)" }
    return text
}

/// As a shell would want the word.
func quoted(_ word: String) -> String {
    let isPlain = word.utf8.allSatisfy { byte in
        (0x2b...0x3a).contains(byte) || (0x40...0x5a).contains(byte)
            || (0x61...0x7a).contains(byte) || byte == 0x5f || byte == 0x3d
    }
    if isPlain, !word.isEmpty { return word }
    return "'"
        + word.split(separator: "'", omittingEmptySubsequences: false)
        .joined(separator: #"'\''"#) + "'"
}

/// What `godwit remote list` shows.
package func remotesText(_ remotes: [RemoteView]) -> String {
    let rows = remotes.map { remote in
        [remote.name.text, remote.addresses.joined(separator: " "), remote.fingerprint]
    }
    return table(
        ["NAME", "ADDRESSES", "FINGERPRINT"], rows,
        empty: "no remotes; add one with `godwit remote add NAME TOKEN`")
}

/// What `godwit forward list` shows.
package func forwardsText(_ forwards: [Forward]) -> String {
    let rows = forwards.map { forward in
        [
            forward.instance.text, forward.direction == .leaving ? "to" : "from", forward.other,
            forward.until.map { "\(momentText($0)) UTC" } ?? "the end of its move",
        ]
    }
    return table(
        ["INSTANCE", "WAY", "OTHER HOST", "UNTIL"], rows,
        empty: "no traffic is forwarded; see `godwit move --forward`")
}

/// What `godwit trust list` shows.
package func trustText(_ peers: [PeerIdentity]) -> String {
    table(
        ["NAME", "FINGERPRINT"], peers.map { [$0.name, $0.fingerprint] },
        empty: "nobody is trusted; let a host in with `godwit trust add NAME`")
}
