/// All that is asked of `umoci`.
package enum Umoci {
    /// Unpacks an image of an OCI layout: the tree appears in `rootfs` below the bundle.
    package static func unpack(layout: String, tag: String, bundle: String) -> Command {
        Command("umoci", ["unpack", "--image", "\(layout):\(tag)", bundle])
    }

    /// Lays an image of an OCI layout over what a directory holds.
    package static func lay(layout: String, tag: String, over directory: String) -> Command {
        Command("umoci", ["raw", "unpack", "--image", "\(layout):\(tag)", directory])
    }
}
