/// All that is asked of tools about themselves.
enum Versions {
    static func criuVersion(_ criu: String) -> Command { Command(criu, ["--version"]) }
    /// Status 0 if the kernel has all that CRIU cannot do without. Needs root.
    static func criuCheck(_ criu: String) -> Command { Command(criu, ["check"]) }
    /// Status 0 if the kernel and CRIU have the feature; another one also for a name that this CRIU
    /// does not know.
    static func criuCheck(_ criu: String, feature: String) -> Command {
        Command(criu, ["check", "--feature", feature])
    }

    static func runtimeVersion(_ runtime: String) -> Command { Command(runtime, ["--version"]) }
    /// A JSON document since runc 1.1 and crun 1.8.
    static func runtimeFeatures(_ runtime: String) -> Command { Command(runtime, ["features"]) }
    static func rsyncVersion(_ rsync: String) -> Command { Command(rsync, ["--version"]) }
}
