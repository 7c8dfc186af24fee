/// All that is asked of `zpool`, whose words zfs-fuse 0.7 knows, too.
package struct Zpool: Sendable {
    /// A name that is searched in PATH, or a path.
    private let tool: String

    package init(tool: String = "zpool") { self.tool = tool }

    /// Makes a zpool that nothing imports but `importing`, and of which nothing is mounted.
    package func create(_ name: String, on path: String) -> Command {
        command(["create", "-o", "cachefile=none", "-O", "canmount=off", "-m", "none", name, path])
    }

    /// Status 0 if it is imported.
    package func list(_ name: String) -> Command { command(["list", "-H", "-o", "name", name]) }

    /// Lists those that could be imported.
    ///
    /// - Parameter places: directories with devices and files, and devices, which zfs-fuse does not
    ///   take.
    package func importable(from places: [String]) -> Command {
        command(["import"] + places.flatMap { ["-d", $0] })
    }

    /// - Parameter isOurs: even if it looks as if another host had it.
    package func importing(
        _ name: String, from places: [String], isOurs: Bool
    ) -> Command {
        command(
            ["import"] + places.flatMap { ["-d", $0] } + ["-o", "cachefile=none"]
                + (isOurs ? ["-f"] : []) + [name])
    }

    /// A property's value, a line; since OpenZFS 0.8 for all that zfs-fuse does not know.
    package func value(of property: String, in name: String) -> Command {
        command(["get", "-H", "-o", "value", property, name])
    }

    /// Lets go of what it is made of, which `importing` finds again.
    package func export(_ name: String) -> Command { command(["export", name]) }

    /// Says what it is made of.
    package func status(_ name: String) -> Command { command(["status", name]) }

    /// Gives it a further file, which is spread over from then on.
    package func add(_ path: String, to name: String) -> Command {
        command(["add", name, path])
    }

    package func destroy(_ name: String) -> Command { command(["destroy", name]) }

    private func command(_ words: [String]) -> Command {
        Command(tool, words, environment: ["LC_ALL": "C"])
    }
}
