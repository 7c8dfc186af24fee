/// Who gives snapshots up is told what becomes of them. That they cannot travel, the planner says.
struct SnapshotCheck: Check {
    let name = "snapshots"

    func findings(in comparison: Comparison) -> [Finding] {
        let count = comparison.instance.snapshots?.count ?? 0
        let options = comparison.options
        guard count > 0, options.dropsSnapshots == true, !options.keepsDefinition else { return [] }
        return [
            Finding(
                name, .warning,
                cause: "the instance has \(Self.counted(count)), which the source deletes after "
                    + "the move",
                cure: "leave --without-snapshots out if they are still wanted")
        ]
    }

    static func counted(_ count: Int) -> String {
        count == 1 ? "a snapshot" : "\(count) snapshots"
    }

    /// For a side that cannot have them travel.
    static func refusal(_ count: Int, _ side: String) -> Finding {
        Finding(
            "snapshots",
            cause: "the instance has \(counted(count)), and the \(side)'s pool cannot have them "
                + "travel",
            cure: "use pools that can (docs/snapshots.md), or give them up with "
                + "--without-snapshots")
    }
}
