/// The options that CRIU takes from a configuration file, which runc names with the annotation
/// `org.criu.config`; they outrank what runc says.
package enum Criu {
    /// - Parameter closesConnections: established TCP connections are dumped and restored as
    ///   closed.
    package static func configuration(closesConnections: Bool) -> String {
        let lines = [
            // runc puts the container into its control group itself; CRIU would take 25 ms for it.
            "manage-cgroups=ignore",
            // The host end of the veth is down from the freeze until the instance runs, which locks
            // more than CRIU's iptables rules would, and saves 90 ms of dump and 50 ms of restore.
            "network-lock=skip",
            // Connections that are not yet accepted are dropped: the client tries them again.
            "skip-in-flight",
            "link-remap",
            "ghost-limit=512M",
        ]
        return (lines + (closesConnections ? ["tcp-close"] : [])).map { $0 + "\n" }.joined()
    }
}
