/// All that is asked of GNU `tar`.
package enum Tar {
    /// Unpacks an archive, compressed or not, with owners by number, attributes and ACLs.
    ///
    /// GNU tar itself keeps an archive from writing outside: it refuses `..`, strips leading
    /// slashes, and makes links that lead out of the directory only after everything else.
    package static func extract(_ archive: String, into directory: String) -> Command {
        Command(
            "tar",
            [
                "--extract", "--file=\(archive)", "--force-local", "--directory=\(directory)",
                "--same-permissions", "--same-owner", "--numeric-owner", "--xattrs",
                "--xattrs-include=*", "--acls", "--sparse", "--delay-directory-restore",
            ],
            environment: ["LC_ALL": "C", "TAR_OPTIONS": ""]
        )
    }
}
