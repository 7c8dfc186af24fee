/// All that is asked of `losetup`; devices are made and detached by `mount`.
package enum Losetup {
    /// Has a loop device see how long its file is now.
    package static func see(_ device: String) -> Command {
        Command("losetup", ["--set-capacity", device])
    }
}
