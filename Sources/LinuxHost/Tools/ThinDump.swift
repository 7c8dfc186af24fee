/// All that is asked of `thin_dump`, of thin-provisioning-tools 0.7 or newer.
package enum ThinDump {
    /// Writes which blocks the pool keeps for one volume, and where, as XML.
    ///
    /// - Parameter metadata: the pool's device of metadata, a snapshot of which is held.
    package static func mappings(of id: UInt32, metadata: String) -> Command {
        Command(
            "thin_dump",
            ["--metadata-snap", "--format", "xml", "--dev-id", "\(id)", metadata],
            environment: ["LC_ALL": "C"])
    }
}
