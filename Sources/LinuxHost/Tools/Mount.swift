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
}
