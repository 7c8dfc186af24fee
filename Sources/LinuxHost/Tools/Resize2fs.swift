/// All that is asked of `resize2fs`.
package enum Resize2fs {
    /// Has a mounted filesystem take all of its device.
    package static func grow(_ device: String) -> Command {
        Command("resize2fs", [device], environment: ["LC_ALL": "C"])
    }
}
