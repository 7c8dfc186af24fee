/// All that is asked of `mount` and `umount`.
package enum Mount {
    /// Mounts what is on a device, or in a file: then on a loop device that goes with the mount.
    ///
    /// Without access times: they would make every snapshot differ from the one before.
    package static func filesystem(
        _ type: String, on path: String, at point: String, isFile: Bool
    ) -> Command {
        let options = isFile ? "loop,noatime" : "noatime"
        return Command("mount", ["--types", type, "--options", options, path, point])
    }

    package static func unmount(_ point: String) -> Command { Command("umount", [point]) }
}
