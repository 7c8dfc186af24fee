/// How an instance's memory travelled, for the report of a migration.
package struct MemoryReport: Codable, Equatable, Sendable {
    package struct Round: Codable, Equatable, Sendable {
        /// From 1; the last is sent while the instance is frozen.
        package var number: Int
        /// Pages that the scan had found.
        package var pages: UInt64
        package var zeroPages: UInt64
        package var repeatedPages: UInt64
        /// On the wire.
        package var bytes: UInt64
        package var milliseconds: Double

        package init(
            number: Int, pages: UInt64, zeroPages: UInt64, repeatedPages: UInt64, bytes: UInt64,
            milliseconds: Double
        ) {
            self.number = number
            self.pages = pages
            self.zeroPages = zeroPages
            self.repeatedPages = repeatedPages
            self.bytes = bytes
            self.milliseconds = milliseconds
        }

        /// Bytes a second on the wire.
        package var rate: Double { Double(bytes) / max(milliseconds / 1_000, 1e-9) }
    }

    /// How many address spaces were tracked in one way, and why in that one.
    package struct TrackerUse: Codable, Equatable, Sendable {
        package var name: String
        package var reason: String
        package var tasks: Int

        package init(name: String, reason: String, tasks: Int) {
            self.name = name
            self.reason = reason
            self.tasks = tasks
        }
    }

    /// Memory that came after the instance ran on the target.
    package struct Fetch: Codable, Equatable, Sendable {
        /// Pages that were still to come when the instance was restored.
        package var owedPages: UInt64
        /// Pages that came because the instance touched them, or their neighbours.
        package var pagesByFault: UInt64
        package var pagesInBackground: UInt64
        /// Faults that had to wait for the source.
        package var stalls: UInt64
        /// From the restore to the last page.
        package var milliseconds: Double

        package init(
            owedPages: UInt64, pagesByFault: UInt64, pagesInBackground: UInt64, stalls: UInt64,
            milliseconds: Double
        ) {
            self.owedPages = owedPages
            self.pagesByFault = pagesByFault
            self.pagesInBackground = pagesInBackground
            self.stalls = stalls
            self.milliseconds = milliseconds
        }
    }

    /// The first round and the latest ones, `Limit.roundsReported` in all.
    package private(set) var rounds: [Round] = []
    package private(set) var roundsLeftOut = 0
    package private(set) var trackers: [TrackerUse] = []
    /// What ended the rounds.
    package var verdict: PrecopyVerdict?
    /// The part of its processor time that the instance was left with so that rounds would shrink;
    /// nil if it was not slowed down.
    package var processorShare: Double?
    /// Milliseconds from the freeze until the instance ran on the target, for the prediction in
    /// `verdict` to be held against.
    package var outcome: Double?
    /// Nil without post-copy.
    package var fetch: Fetch?

    package init() {}

    package mutating func add(_ round: Round) {
        rounds.append(round)
        guard rounds.count > Limit.roundsReported else { return }
        rounds.remove(at: 1)
        roundsLeftOut += 1
    }

    /// Counts tasks; reasons beyond `Limit.trackerReasons` are counted together, whatever they are.
    package mutating func add(tracker name: String, reason: String, tasks: Int = 1) {
        if let known = trackers.firstIndex(where: { $0.name == name && $0.reason == reason }) {
            trackers[known].tasks += tasks
        } else if trackers.count < Limit.trackerReasons - 1 {
            trackers.append(TrackerUse(name: name, reason: reason, tasks: tasks))
        } else if trackers.count < Limit.trackerReasons {
            trackers.append(TrackerUse(name: "others", reason: "", tasks: tasks))
        } else {
            trackers[trackers.count - 1].tasks += tasks
        }
    }

    package var bytes: UInt64 { rounds.reduce(0) { $0 &+ $1.bytes } }
}
