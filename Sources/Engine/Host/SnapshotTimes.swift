import Foundation
import Logging
package import MigrationCore

/// Snapshots that are kept for some time only, or taken at some time.
extension HostService {
    /// Takes and deletes what is due, for ever; a child of `run`.
    func tendSnapshots() async {
        var seen = Timestamp.now
        var due: Set<InstanceName> = []
        await inTime("expired snapshots could not be deleted yet") {
            let now = Timestamp.now
            due = await takeScheduledSnapshots(after: seen, until: now, due: due)
            seen = now
            return try await removeExpiredSnapshots()
        }
    }

    /// - Returns: when the next is due; nil if none is.
    package func removeExpiredSnapshots() async throws -> Timestamp? {
        let now = Timestamp.now
        let known = try store.snapshots().filter(\.isWhole)
        for snapshot in known where snapshot.snapshot.expires.map({ $0 <= now }) ?? false {
            // One that a migration or an operation has now is looked at again.
            _ = try await whileFree(snapshot.instance) {
                try await expire(snapshot.name, $0, now)
            }
        }
        return known.compactMap(\.snapshot.expires).filter { $0 > now }.min()
    }
}

extension HostService {
    /// Others are not kept waiting by one that cannot be deleted.
    private func expire(
        _ snapshot: SnapshotName, _ instance: InstanceRecord, _ now: Timestamp
    ) async throws {
        let name = instance.definition.name
        guard let record = try store.snapshot(snapshot, of: name),
            record.snapshot.expires.map({ $0 <= now }) ?? false
        else { return }
        await undo(record, instance)
        tell(name, .snapshotExpired)
    }
}

extension HostService {
    /// Takes what is due at a minute that begins after the one moment and not after the other.
    ///
    /// Times at which no daemon ran are passed over.
    ///
    /// - Parameter due: what was due before, and could not be taken yet.
    /// - Returns: what cannot be taken yet, as something else has the instance.
    package func takeScheduledSnapshots(
        after seen: Timestamp, until now: Timestamp, due: Set<InstanceName> = []
    ) async -> Set<InstanceName> {
        let minutes = CalendarMinute.beginning(after: seen, until: now)
        var left: Set<InstanceName> = []
        for record in (try? store.instances()) ?? [] where !record.isArriving {
            let definition = record.definition
            guard let schedule = definition.snapshotSchedule,
                due.contains(definition.name) || minutes.contains(where: schedule.times.contains)
            else { continue }
            do {
                let isFree = try await whileFree(definition.name) {
                    try await take(schedule, of: $0)
                }
                if !isFree { left.insert(definition.name) }
            } catch {
                logger.error(
                    "a snapshot that was due could not be made",
                    metadata: ["instance": "\(definition.name)", "error": "\(error)"])
            }
        }
        return left
    }

    private func take(_ schedule: SnapshotSchedule, of instance: InstanceRecord) async throws {
        let driver = try equipment.driver(instance.definition.kind)
        guard try await driver.observe(instance.definition).status == .running else { return }
        let request = SnapshotRequest(
            instance: instance.definition.name,
            expires: schedule.keptSeconds.map(Timestamp.now(after:)),
            isStateful: schedule.isStateful)
        let view = try await createSnapshot(request, of: instance)
        logger.info(
            "a snapshot was made as scheduled",
            metadata: [
                "instance": "\(request.instance)", "snapshot": "\(view.snapshot.name)",
            ])
    }

    package func setSchedule(
        _ schedule: SnapshotSchedule?, of name: InstanceName
    ) async throws {
        try await exclusively(name) { record in
            if schedule != nil { _ = try snapshotting(record.definition) }
            try requireUsable(expiry: schedule?.keptSeconds.map(Timestamp.now(after:)))
            try store.change(name, lockedBy: nil) { $0.definition.snapshotSchedule = schedule }
        }
    }

    package func setExpiry(
        _ expires: Timestamp?, of snapshot: SnapshotName, of name: InstanceName
    ) async throws {
        try await exclusively(name) { _ in
            try requireUsable(expiry: expires)
            var record = try whole(snapshot, of: name)
            record.snapshot.expires = expires
            try store.save(record)
        }
    }

    /// - Throws: `badRequest` for a moment that has passed or is too far.
    func requireUsable(expiry: Timestamp?) throws {
        let times = Timestamp.now...Timestamp.now(after: Limit.snapshotSeconds)
        guard let expiry, !times.contains(expiry) else { return }
        throw GodwitError(
            .badRequest, "the snapshot would expire at once, or in many years",
            remedy: "give a time within ten years, or none")
    }
}

extension CalendarMinute {
    /// Those that begin within the time, by the clock of this host; the last hour of them at most.
    fileprivate static func beginning(
        after seen: Timestamp, until now: Timestamp
    ) -> Set<CalendarMinute> {
        let (first, last) = (seen.milliseconds / 60_000 + 1, now.milliseconds / 60_000)
        guard first <= last else { return [] }
        let calendar = Calendar(identifier: .gregorian)
        return Set(
            (max(first, last - 59)...last).map { minute in
                let date = Date(timeIntervalSince1970: Double(minute) * 60)
                let parts = calendar.dateComponents(
                    [.minute, .hour, .day, .month, .weekday], from: date)
                return CalendarMinute(
                    minute: parts.minute ?? 0, hour: parts.hour ?? 0, day: parts.day ?? 0,
                    month: parts.month ?? 0, weekday: (parts.weekday ?? 1) - 1)
            })
    }
}
