/// All that is asked of `blkid`.
package enum Blkid {
    /// Says which filesystem is on a device, as it is now; status 2 for none.
    package static func filesystem(on device: String) -> Command {
        Command("blkid", ["--probe", "--match-tag", "TYPE", "--output", "value", device])
    }
}
