package import MigrationCore

/// One migration in four lines: what, phases with times, bytes by kind, downtime by part.
///
///     web  host-a → host-b  succeeded  live
///       begin 12 ms · prepare 31 ms · perform 812 ms · finish 240 ms · confirm 18 ms
///       volume 61.2 MiB · delta 0.4 MiB · checkpoint 14.1 MiB
///       downtime 388 ms: freeze 6 · checkpoint 142 · delta 71 · transfer 12 · …
///
/// - Parameter host: this host's name, where it is known.
package func reportText(_ report: MigrationReport, host: String, style: Style) -> String {
    var lines = [headLine(report, host: host, style: style)]
    let phases = report.phases.map { time in
        "\(time.phase.title) \(millisecondsText(time.milliseconds))"
    }
    if !phases.isEmpty { lines.append("  " + phases.joined(separator: " · ")) }
    let bytes = ordered(
        report.bytes, by: ["snapshots", "volume", "passes", "delta", "memory", "checkpoint"]
    )
    .map {
        kind, count in
        "\(kind) \(sizeText(ByteCount(bytes: count)))"
    }
    if !bytes.isEmpty { lines.append("  " + bytes.joined(separator: " · ")) }
    if let line = report.passes.flatMap(passLine) { lines.append("  " + line) }
    if let line = report.memory.flatMap(memoryLine) { lines.append("  " + line) }
    if let line = downtimeLine(report) { lines.append("  " + line) }
    if let error = report.error { lines += indented(errorText(error, style: style)) }
    return lines.joined(separator: "\n")
}

/// The report with what CRIU and Godwit counted, as `godwit migration show` prints it.
package func detailText(
    _ report: MigrationReport, progress: MigrationProgress?, host: String, style: Style
) -> String {
    var lines = [reportText(report, host: host, style: style)]
    lines.append("  id \(report.id) · this host is the \(report.side.rawValue)")
    lines.append("  started \(momentText(report.started)) UTC" + endText(report))
    for tracker in report.memory?.trackers ?? [] {
        lines.append("  tracked \(tracker.tasks) by \(tracker.name): \(tracker.reason)")
    }
    lines += mountLines(report.mounts).map { "  mount " + $0 }
    let statistics = report.statistics.sorted { $0.key < $1.key }.map { name, value in
        "\(name) \(decimal(value, places: 1))"
    }
    if !statistics.isEmpty { lines.append("  " + statistics.joined(separator: " · ")) }
    if let progress { lines.append("  now: \(progressText(progress))") }
    return lines.joined(separator: "\n")
}

/// What `godwit migrations` shows, newest first.
package func migrationsText(_ reports: [MigrationReport]) -> String {
    let rows = reports.map { report in
        [
            report.id.text, report.instance.text, directionText(report), report.mode.rawValue,
            report.status.rawValue, momentText(report.started),
            report.downtimeMilliseconds.map(millisecondsText) ?? "",
            sizeText(report.bytes.values.reduce(.zero) { $0 + ByteCount(bytes: $1) }),
        ]
    }
    return table(
        ["ID", "INSTANCE", "PEER", "MODE", "STATUS", "STARTED (UTC)", "DOWNTIME", "SENT"], rows,
        empty: "no migrations")
}

/// A running migration in one line.
package func progressText(_ progress: MigrationProgress) -> String {
    var volume = "volume \(sizeText(progress.volumeSent))"
    if let total = progress.volumeTotal { volume += " of \(sizeText(total))" }
    var parts = ["\(progress.phase.title): \(progress.step)", volume]
    if progress.checkpointSent > .zero {
        parts.append("checkpoint \(sizeText(progress.checkpointSent))")
    }
    if progress.bytesPerSecond > .zero { parts.append("\(sizeText(progress.bytesPerSecond))/s") }
    if let left = progress.secondsLeft, left.isFinite, left >= 0, left < 1e9 {
        parts.append("\(minutesText(Int(left.rounded(.up)))) left")
    }
    return parts.joined(separator: " · ")
}

private func headLine(_ report: MigrationReport, host: String, style: Style) -> String {
    let (source, target) =
        report.side == .source ? (host, report.peer) : (report.peer, host)
    let name =
        report.newName == report.instance
        ? report.instance.text : "\(report.instance) as \(report.newName)"
    let status = colouredStatus(report.status, style)
    let mode = report.mode.rawValue
    return "\(style.strong(name))  \(source) → \(target)  \(status)  \(mode)"
}

private func colouredStatus(_ status: MigrationReport.Status, _ style: Style) -> String {
    switch status {
    case .running: status.rawValue
    case .succeeded: style.good(status.rawValue)
    case .cancelled, .undecided: style.warning(status.rawValue)
    case .failed: style.bad(status.rawValue)
    }
}

private func directionText(_ report: MigrationReport) -> String {
    report.side == .source ? "→ \(report.peer)" : "← \(report.peer)"
}

private func downtimeLine(_ report: MigrationReport) -> String? {
    guard let total = report.downtimeMilliseconds else { return nil }
    let names = [
        "freeze", "scan", "memory", "checkpoint", "delta", "rest", "digest", "images", "transfer",
        "restore", "network",
    ]
    let parts = ordered(report.downtime, by: names).map { part, milliseconds in
        "\(part) \(decimal(milliseconds, places: milliseconds < 9.95 ? 1 : 0))"
    }
    let tail = parts.isEmpty ? "" : ": " + parts.joined(separator: " · ")
    return "downtime \(millisecondsText(total))\(tail)"
}

/// The latest passes over files while it ran.
private func passLine(_ passes: [MigrationReport.Pass]) -> String? {
    guard !passes.isEmpty else { return nil }
    let latest = passes.suffix(4).map { pass in
        "\(pass.volume) pass \(pass.number) \(sizeText(ByteCount(bytes: pass.bytes))) "
            + millisecondsText(pass.milliseconds)
    }
    let omitted = passes.count - latest.count
    let head = omitted > 0 ? ["\(omitted) earlier"] : []
    return "files: " + (head + latest).joined(separator: " · ")
}

/// Rounds with pages and time, and why they ended.
private func memoryLine(_ memory: MemoryReport) -> String? {
    guard !memory.rounds.isEmpty else { return nil }
    let rounds = memory.rounds.suffix(4).map { round in
        "round \(round.number) \(round.pages) pages \(millisecondsText(round.milliseconds))"
    }
    let omitted = memory.rounds.count + memory.roundsLeftOut - rounds.count
    let head = omitted > 0 ? ["\(omitted) rounds"] : []
    let reason = memory.verdict.map { [$0.reason] } ?? []
    let share = memory.processorShare.map {
        ["slowed down to \(decimal($0 * 100, places: 0)) % of its processor time"]
    }
    let fetch = memory.fetch.map { [fetchText($0)] } ?? []
    return "memory: " + (head + rounds + (share ?? []) + reason + fetch).joined(separator: " · ")
}

private func fetchText(_ fetch: MemoryReport.Fetch) -> String {
    "after the move \(fetch.owedPages) pages in \(millisecondsText(fetch.milliseconds)), "
        + "\(fetch.pagesByFault) of them by \(fetch.stalls) faults"
}

private func endText(_ report: MigrationReport) -> String {
    guard let ended = report.ended, ended >= report.started else { return "" }
    let took = ended.milliseconds - report.started.milliseconds
    return ", took \(millisecondsText(Double(took)))"
}

/// The named ones in that order, then the others by name.
private func ordered<Value>(
    _ values: [String: Value], by names: [String]
) -> [(String, Value)] {
    let known = names.compactMap { name in values[name].map { (name, $0) } }
    let others = values.filter { !names.contains($0.key) }.sorted { $0.key < $1.key }
    return known + others.map { ($0.key, $0.value) }
}

package func indented(_ text: String) -> [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)" }
}
