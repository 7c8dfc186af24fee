/// All that is asked of `mkfs.ext4`.
package enum MakeExt4 {
    /// Makes a filesystem on a device that reads as zeros. Nothing is written that need not be:
    /// what is takes room in a thin pool, and travels.
    package static func filesystem(on device: String) -> Command {
        Command(
            "mkfs.ext4",
            [
                "-q", "-b", "4096", "-m", "0", "-E",
                "nodiscard,lazy_itable_init=1,lazy_journal_init=1", device,
            ],
            environment: ["LC_ALL": "C"])
    }
}
