/// All that is asked of GNU `cp`.
package enum Cp {
    /// Copies a tree on this host over an existing directory, content shared with it where the
    /// filesystem can.
    package static func tree(_ tree: String, into directory: String) -> Command {
        Command(
            "cp", ["--archive", "--reflink=auto", "--no-target-directory", tree, directory],
            environment: ["LC_ALL": "C"])
    }
}
