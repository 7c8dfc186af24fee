/// All that is asked of `rm`.
package enum Rm {
    /// Removes a tree of any depth, without following links or entering other filesystems.
    package static func tree(_ path: String) -> Command {
        Command("rm", ["--recursive", "--force", "--one-file-system", "--", path])
    }
}
