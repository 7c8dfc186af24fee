/// All that is asked of `mount` and `umount`.
package enum Mount {
    /// Mounts what is on a device, or in a file: then on a loop device that goes with the mount.
    ///
    /// With the kernel's own options: CRIU gives a restored root those that it had, and the kernel
    /// lets no user namespace change how access times are kept (mount_setattr(2), locked flags).
    package static func filesystem(
        _ type: String, on path: String, at point: String, isFile: Bool
    ) -> Command {
        let options = isFile ? ["--options", "loop"] : []
        return Command("mount", ["--types", type] + options + [path, point])
    }

    /// Mounts trees over one another; what changes goes to `upper`, or nothing can where that is
    /// nil.
    ///
    /// An upper tree that was made without redirections, metadata alone and an index holds all of
    /// what it changes, and may lie over equal trees elsewhere.
    ///
    /// - Parameters:
    ///   - lower: the lowest last. All but the point are relative to `directory`: the kernel takes
    ///     one page of options, and gives commas and colons a meaning.
    ///   - upper: with a directory of its own beside it, for the kernel.
    package static func overlay(
        _ lower: [String], upper: (changes: String, work: String)?, at point: String,
        in directory: String
    ) -> Command {
        let writing = upper.map { "upperdir=\($0.changes),workdir=\($0.work)," } ?? ""
        let options =
            "lowerdir=\(lower.joined(separator: ":")),\(writing)"
            + "index=off,metacopy=off,redirect_dir=nofollow"
        return Command(
            "mount", ["--types", "overlay", "--options", options, "overlay", point],
            // With the new calls of util-linux 2.39 an option has 256 bytes at most: four layers.
            environment: ["LIBMOUNT_FORCE_MOUNT2": "always"], directory: directory)
    }

    /// Mounts the ext4 of a thin volume. Tables of inodes that are not in use yet are not written:
    /// that would take room in the pool.
    package static func thin(_ device: String, at point: String) -> Command {
        Command("mount", ["--types", "ext4", "--options", "noinit_itable", device, point])
    }

    /// Mounts the ext4 of a thin snapshot, which needs no journal: its origin was frozen.
    package static func thinSnapshot(_ device: String, at point: String) -> Command {
        Command("mount", ["--types", "ext4", "--options", "ro,noload", device, point])
    }

    package static func unmount(_ point: String) -> Command { Command("umount", [point]) }

    /// Also where somebody still uses it: then it is gone when they are done.
    package static func detach(_ point: String) -> Command {
        Command("umount", ["--lazy", point])
    }
}
