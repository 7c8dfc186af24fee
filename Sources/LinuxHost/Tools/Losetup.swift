/// All that is asked of `losetup`.
package enum Losetup {
    /// Has a loop device see how long its file is now.
    package static func see(_ device: String) -> Command {
        Command("losetup", ["--set-capacity", device])
    }

    /// Says which device the file has, after giving it one if it has none.
    package static func attach(_ file: String) -> Command {
        Command("losetup", ["--find", "--show", "--nooverlap", file])
    }

    /// Says which devices the file has, one a line.
    package static func devices(of file: String) -> Command {
        Command("losetup", ["--noheadings", "--output", "NAME", "--associated", file])
    }

    package static func detach(_ device: String) -> Command {
        Command("losetup", ["--detach", device])
    }
}
