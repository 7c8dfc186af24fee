/// Snapshots do not travel: a move must not lose them by the way.
package struct SnapshotCheck: Check {
    package let name = "snapshots"

    package func findings(in comparison: Comparison) -> [Finding] {
        let finding = Self.finding(about: comparison.instance.snapshots ?? 0, comparison.options)
        return finding.map { [$0] } ?? []
    }

    /// What the source finds by itself as well.
    ///
    /// - Parameter count: of the instance's snapshots.
    package static func finding(about count: Int, _ options: MoveOptions) -> Finding? {
        guard count > 0 else { return nil }
        let has = "the instance has " + (count == 1 ? "a snapshot" : "\(count) snapshots")
        if options.keepsDefinition {
            return Finding(
                "snapshots", .warning, cause: "\(has), which the source keeps",
                cure: "nothing: they stay there with the definition")
        }
        if options.dropsSnapshots == true {
            return Finding(
                "snapshots", .warning, cause: "\(has), which the source deletes after the move",
                cure: "leave --without-snapshots out if they are still wanted")
        }
        return Finding(
            "snapshots", cause: "\(has), and snapshots do not travel",
            cure: "delete them (godwit delete NAME/SNAP), keep them here with --keep-definition, "
                + "or give them up with --without-snapshots")
    }
}
