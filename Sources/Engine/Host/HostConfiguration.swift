package import MigrationCore

/// What a host is told about itself when its daemon starts.
package struct HostConfiguration: Sendable {
    /// How this host calls itself towards others.
    package var name: String
    package var version: String
    /// SHA-256 of its own certificate in lower-case hexadecimal.
    package var fingerprint: String
    /// Where other hosts reach it, `address:port`, best first.
    package var addresses: [String]
    /// The host ids of new instances that are not privileged.
    package var idMap: IDMap
    /// How long a graceful stop waits for migrations whose custody has left the source.
    package var stopDeadline: Duration
    /// Whether what changes in volumes while they travel follows before the freeze, which depends
    /// on how long passes take.
    package var repeatsPasses: Bool

    package init(
        name: String,
        version: String,
        fingerprint: String,
        addresses: [String],
        idMap: IDMap = IDMap(hostStart: 1_000_000, count: 65_536),
        stopDeadline: Duration = .seconds(30),
        repeatsPasses: Bool = true
    ) {
        self.name = name
        self.version = version
        self.fingerprint = fingerprint
        self.addresses = addresses
        self.idMap = idMap
        self.stopDeadline = stopDeadline
        self.repeatsPasses = repeatsPasses
    }
}
