import LinuxHost
import MigrationCore
import Testing

/// Every flag that is relied on, as it is passed.
@Suite struct ToolsOfStorageTests {
    @Test func `rsync sends`() {
        #expect(
            Rsync.send("/p/v").description == """
                rsync --archive --hard-links --acls --xattrs --xattrs --sparse --numeric-ids \
                --delete-during --modify-window=-1 --open-noatime --no-inc-recursive --timeout=300 \
                --rsh=sh -c 'exec 5<&0; \
                cat <&5 >&4 3<&- 4>&- 5<&- & exec cat <&3 3<&- 4>&- 5<&-' /p/v/ target::volume/
                """)
        #expect(Rsync.send("/").environment == ["LC_ALL": "C"])
    }

    @Test func `rsync receives`() throws {
        #expect(
            Rsync.receive().description
                == "rsync --server --daemon --config=/proc/self/fd/5 --log-file=/proc/self/fd/2 .")
        #expect(
            String(decoding: try Rsync.configuration(volume: "/p/v"), as: UTF8.self) == """
                use chroot = yes
                numeric ids = yes
                uid = 0
                gid = 0
                munge symlinks = no
                fake super = no
                reverse lookup = no
                max connections = 0
                transfer logging = no
                [volume]
                path = /p/v
                read only = no
                write only = yes
                list = no
                refuse options = * !archive !a !e !s !v !r !l !p !t !g !o !D !H !A !X !S !recursive \
                !links !perms !times !group !owner !devices !specials !hard-links !acls !xattrs \
                !sparse !numeric-ids !delete !delete-during !modify-window \
                !open-noatime !timeout

                """)
    }

    @Test(arguments: ["p", "/a%b", "/a\\", "/a\nb", "/a "])
    func `a path that would mean something else in the configuration is refused`(path: String) {
        #expect(throws: GodwitError(.badRequest, "")) { try Rsync.configuration(volume: path) }
    }

    @Test func `rsync, tar, umoci and rm prepare a volume`() {
        #expect(
            Rsync.copy("/a", into: "/b").description == """
                rsync --archive --hard-links --acls --xattrs --xattrs --sparse --numeric-ids --modify-window=-1 /a/ /b/
                """)
        #expect(
            Rsync.update("/b", to: "/a").description == """
                rsync --archive --hard-links --acls --xattrs --xattrs --sparse --numeric-ids \
                --delete-during --modify-window=-1 --open-noatime --no-inc-recursive /a/ /b/
                """)
        #expect(
            Cp.tree("/a", to: "/b").description == """
                cp --archive --reflink=auto --sparse=auto --no-target-directory -- /a /b
                """)
        #expect(
            Tar.extract("/a.tar", into: "/b").description == """
                tar --extract --file=/a.tar --force-local --directory=/b --same-permissions \
                --same-owner --numeric-owner --xattrs --xattrs-include=* --acls --sparse \
                --delay-directory-restore
                """)
        #expect(
            Umoci.unpack(layout: "/i", tag: "t", bundle: "/b").description
                == "umoci unpack --image /i:t /b")
        #expect(Rm.tree("/a").description == "rm --recursive --force --one-file-system -- /a")
    }

    @Test func `a copy that is not whole tells why`() {
        func code(_ status: LinuxHost.ExitStatus, _ said: String) -> GodwitError.Code? {
            Cp.failure(status, said: said)?.code
        }
        #expect(code(.exited(0), "") == nil)
        #expect(code(.exited(1), "cp: error writing '/b': No space left on device\n") == .noSpace)
        #expect(code(.exited(1), "cp: cannot stat '/a': No such file or directory") == .toolFailed)
        #expect(code(.signalled(9), "") == .toolFailed)
    }

    @Test func `tar writes and reads what images are made of`() {
        #expect(
            Tar.extract(layer: "/l", into: "/b").description
                == Tar.extract("/l", into: "/b").description + " --exclude=.wh.*")
        #expect(Tar.list("/a:b").description == "tar --list --file=/a:b --force-local")
        #expect(
            Tar.create("/t").description == """
                tar --create --file=- --directory=/t --sort=name --format=posix \
                --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime \
                --numeric-owner --xattrs --xattrs-include=* --acls --sparse \
                --sparse-version=0.0 .
                """)
        #expect(
            Tar.pack(layout: "/l", into: "/a").description == """
                tar --create --file=/a --force-local --directory=/l --dereference --sort=name \
                --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime=@0 oci-layout \
                index.json blobs
                """)
        #expect(Gzip.decompress("-a").description == "gzip --decompress --stdout -- -a")
        #expect(Zstd.decompress("a").description == "zstd --decompress --stdout --quiet -- a")
        #expect(Xz.decompress("a").description == "xz --decompress --stdout -- a")
    }

    @Test func `rsync's ends are told apart`() {
        let vanished = """
            file has vanished: "/p/v/a"
            rsync: [sender] readlink_stat("/p/v/b") failed: No such file or directory (2)
            rsync warning: some files vanished before they could be transferred (code 24) at main.c(1)
            """
        let denied = "rsync: [receiver] mknod failed: Operation not permitted (1)\n"
        let full = "rsync: write failed on \"/x\": No space left on device (28)\n"
        let code = { (status: LinuxHost.ExitStatus, said: String, tolerant: Bool) in
            Rsync.failure(status, said: said, tolerant: tolerant)?.code
        }
        #expect(code(.exited(0), full, false) == nil)
        #expect(code(.exited(24), vanished, true) == nil)
        #expect(code(.exited(24), vanished, false) == .toolFailed)
        #expect(code(.exited(23), vanished, true) == nil)
        #expect(code(.exited(23), vanished + "\n" + denied, true) == .toolFailed)
        #expect(code(.exited(11), full, true) == .noSpace)
        #expect(code(.exited(12), "", true) == .linkLost)
        #expect(code(.signalled(9), "", true) == .toolFailed)
    }
}
