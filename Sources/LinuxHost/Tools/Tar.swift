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
            environment: plain
        )
    }

    /// Unpacks the lowest layer of an image: marks of what it removes have nothing to remove.
    package static func extract(layer: String, into directory: String) -> Command {
        var command = extract(layer, into: directory)
        command.arguments.append("--exclude=.wh.*")
        return command
    }

    /// Names, one a line; reads the whole archive.
    package static func list(_ archive: String) -> Command {
        Command("tar", ["--list", "--file=\(archive)", "--force-local"], environment: plain)
    }

    /// Writes a tree to standard output, the same bytes for the same tree: later versions of the
    /// sparse format put tar's pid into names.
    package static func create(_ tree: String) -> Command {
        Command(
            "tar",
            [
                "--create", "--file=-", "--directory=\(tree)", "--sort=name", "--format=posix",
                "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
                "--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls", "--sparse",
                "--sparse-version=0.0", ".",
            ],
            environment: plain
        )
    }

    /// Writes an image layout, whose blobs may be links, as an archive.
    package static func pack(layout: String, into archive: String) -> Command {
        Command(
            "tar",
            [
                "--create", "--file=\(archive)", "--force-local", "--directory=\(layout)",
                "--dereference", "--sort=name", "--owner=0", "--group=0", "--numeric-owner",
                "--mode=u=rwX,go=rX", "--mtime=@0", "oci-layout", "index.json", "blobs",
            ],
            environment: plain
        )
    }

    private static let plain = ["LC_ALL": "C", "TAR_OPTIONS": ""]
}
