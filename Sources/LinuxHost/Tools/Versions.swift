/// All that is asked of tools about themselves.
package enum Versions {
    package static func criuVersion(_ criu: String) -> Command { Command(criu, ["--version"]) }
    /// Status 0 if the kernel has all that CRIU cannot do without. Needs root.
    package static func criuCheck(_ criu: String) -> Command { Command(criu, ["check"]) }
    /// Status 0 if the kernel and CRIU have the feature; another one also for a name that this CRIU
    /// does not know.
    package static func criuCheck(_ criu: String, feature: String) -> Command {
        Command(criu, ["check", "--feature", feature])
    }

    package static func runtimeVersion(_ runtime: String) -> Command {
        Command(runtime, ["--version"])
    }
    /// A JSON document since runc 1.1 and crun 1.8.
    package static func runtimeFeatures(_ runtime: String) -> Command {
        Command(runtime, ["features"])
    }
    package static func rsyncVersion(_ rsync: String) -> Command { Command(rsync, ["--version"]) }
    package static func btrfsVersion(_ btrfs: String) -> Command { Command(btrfs, ["--version"]) }
    package static func lvmVersion(_ lvm: String) -> Command { Command(lvm, ["version"]) }
    package static let thinDumpVersion = Command("thin_dump", ["--version"])
}
