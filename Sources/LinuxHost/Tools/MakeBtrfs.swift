/// All that is asked of `mkfs.btrfs`.
package enum MakeBtrfs {
    /// Makes a filesystem on a device or in a file, unless there is one of any kind already.
    package static func filesystem(on path: String, label: String) -> Command {
        Command(
            "mkfs.btrfs", ["--quiet", "--label", label, path], environment: ["LC_ALL": "C"])
    }
}
