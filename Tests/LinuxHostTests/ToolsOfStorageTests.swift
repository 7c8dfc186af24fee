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
                --blocking-io --rsh=sh -c 'exec 5<&0; \
                cat <&5 >&4 3<&- 4>&- 5<&- & exec cat <&3 3<&- 4>&- 5<&-' /tree/ target::volume/
                """)
        #expect(Rsync.send("/").environment == ["LC_ALL": "C"])
        #expect(Rsync.send("/p/v").root == ToolRoot(reading: ("/p/v", "tree")))
        let listed = Rsync.send("/p/v", isListed: true).arguments
        #expect(
            listed.filter { !Rsync.send("/p/v").arguments.contains($0) } == [
                "--dirs", "--ignore-missing-args", "--from0", "--files-from=-",
            ])
        let first = Rsync.send("/p/v", keepsParts: true).arguments
        #expect(first.filter { !Rsync.send("/p/v").arguments.contains($0) } == ["--partial"])
        #expect(Rsync.list([]) == Array("./\0".utf8))
        #expect(Rsync.list([Array("./a".utf8), Array("./b/".utf8)]) == Array("./a\0./b/\0".utf8))
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
                !open-noatime !partial !timeout !R !relative !d !dirs !no-r

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
        #expect(Rsync.update("/b", to: "/a", isListed: true).arguments.contains("--files-from=-"))
        #expect(
            Rsync.update("/b", to: "/a").description == """
                rsync --archive --hard-links --acls --xattrs --xattrs --sparse --numeric-ids \
                --delete-during --modify-window=-1 --open-noatime --no-inc-recursive /tree/ /copy/
                """)
        #expect(
            Rsync.update("/b", to: "/a").root
                == ToolRoot(reading: ("/a", "tree"), writing: ("/b", "copy")))
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
        #expect(
            Umoci.lay(layout: "/i", tag: "t", over: "/d").description
                == "umoci raw unpack --image /i:t /d")
        #expect(Rm.tree("/a").description == "rm --recursive --force --one-file-system -- /a")
    }

    @Test func `btrfs sends, receives and grows`() {
        #expect(
            Btrfs.send("/p/s", parent: nil, isCompressed: false).description
                == "btrfs send --quiet --proto 1 /p/s")
        #expect(
            Btrfs.send("/p/s", parent: "/p/r", isCompressed: true).description
                == "btrfs send --quiet --proto 2 --compressed-data -p /p/r /p/s")
        #expect(
            Btrfs.receive(into: "/p/v").description == "btrfs receive --quiet --chroot /p/v")
        #expect(Btrfs.grow("/p").description == "btrfs filesystem resize max /p")
        #expect(
            MakeBtrfs.filesystem(on: "/f", label: "l").description
                == "mkfs.btrfs --quiet --label l /f")
        #expect(Losetup.see("/dev/loop1").description == "losetup --set-capacity /dev/loop1")
        #expect(
            Blkid.filesystem(on: "/dev/b").description
                == "blkid --probe --match-tag TYPE --output value /dev/b")
    }

    @Test func `zfs and zpool say the same to old and new versions`() {
        let (zfs, zpool) = (Zfs(), Zpool(tool: "/x/zpool"))
        #expect(zfs.version.description == "zfs version")
        #expect(
            zfs.values(["guid", "type"], of: "t/v@s").description
                == "zfs get -H -p -o value guid,type t/v@s")
        #expect(
            zfs.values(["guid"], below: "t/v").description
                == "zfs get -r -H -p -o name,property,value guid t/v")
        #expect(
            zfs.children(of: "t").description == "zfs list -H -d 1 -o name -t filesystem t")
        #expect(zfs.create("t/v", ["a=b", "c=d"]).description == "zfs create -o a=b -o c=d t/v")
        #expect(zfs.clone("t/v@s", to: "t/w", ["a=b"]).description == "zfs clone -o a=b t/v@s t/w")
        #expect(zfs.set("a=b", of: "t/v").description == "zfs set a=b t/v")
        #expect(zfs.mount("t/v").description == "zfs mount t/v")
        #expect(zfs.unmount("t/v").description == "zfs unmount t/v")
        #expect(zfs.rename("t/v", to: "t/w").description == "zfs rename t/v t/w")
        #expect(zfs.destroy("t/v@s").description == "zfs destroy t/v@s")
        #expect(zfs.destroyAll("t/v").description == "zfs destroy -r t/v")
        #expect(zfs.snapshot("t/v@s").description == "zfs snapshot t/v@s")
        #expect(zfs.rollback(to: "t/v@s").description == "zfs rollback t/v@s")
        #expect(
            zfs.send("t/v@s", since: nil, isCompressed: false).description == "zfs send t/v@s")
        #expect(
            zfs.send("t/v@s", since: "t/v@r", isCompressed: true).description
                == "zfs send -c -i t/v@r t/v@s")
        #expect(zfs.receive(into: "t/v").description == "zfs receive -F -u t/v")
        #expect(
            zfs.receive(into: "t/v", isResumable: true).description == "zfs receive -s -F -u t/v")
        #expect(zfs.send(resuming: "1-a").description == "zfs send -t 1-a")
        #expect(zfs.contents(of: "1-a").description == "zfs send -n -v -t 1-a")
        #expect(zfs.version.environment == ["LC_ALL": "C"])
        #expect(
            zpool.create("t", on: "/f").description
                == "/x/zpool create -o cachefile=none -O canmount=off -m none t /f")
        #expect(zpool.list("t").description == "/x/zpool list -H -o name t")
        #expect(zpool.importable(from: ["/d"]).description == "/x/zpool import -d /d")
        #expect(
            zpool.importing("t", from: ["/d"], isOurs: true).description
                == "/x/zpool import -d /d -o cachefile=none -f t")
        #expect(
            zpool.importing("t", from: ["/d", "/p"], isOurs: false).description
                == "/x/zpool import -d /d -d /p -o cachefile=none t")
        #expect(zpool.status("t").description == "/x/zpool status t")
        #expect(zpool.add("/f", to: "t").description == "/x/zpool add t /f")
        #expect(zpool.destroy("t").description == "/x/zpool destroy t")
        #expect(
            Blkid.anything(on: "/dev/b").description == "blkid --probe --output export /dev/b")
    }

    @Test func `how zfs ended is told`() {
        #expect(Zfs.failure(.exited(0), said: "busy") == nil)
        let full = "cannot receive new filesystem stream: out of space\n"
        #expect(Zfs.failure(.exited(1), said: full)?.code == .noSpace)
        let busy = "cannot unmount '/p': Device or resource busy\n"
        #expect(Zfs.failure(.exited(1), said: busy)?.code == .busy)
        let other = Zfs.failure(.exited(1), said: "cannot open 'v': dataset does not exist\n")
        #expect(
            other?.code == .toolFailed
                && other?.cause == "cannot open 'v': dataset does not exist")
        #expect(ToolTexts.zfsVersion("zfs-2.1.11-1\nzfs-kmod-2.1.11-1\n") == Version(2, 1, 11))
        #expect(ToolTexts.zfsVersion("unrecognized command 'version'") == nil)
    }

    @Test func `filesystems are mounted and unmounted`() {
        #expect(
            Mount.filesystem("btrfs", on: "/f.img", at: "/p", isFile: true).description
                == "mount --types btrfs --options loop /f.img /p")
        #expect(
            Mount.filesystem("btrfs", on: "/dev/b", at: "/p", isFile: false).description
                == "mount --types btrfs /dev/b /p")
        #expect(Mount.unmount("/p").description == "umount /p")
        #expect(Mount.detach("/p").description == "umount --lazy /p")
        let overlay = Mount.overlay(
            ["b/tree", "a/tree"], upper: ("../v/upper", "../v/work"), at: "/p", in: "/l")
        #expect(
            overlay.description
                == "mount --types overlay --options lowerdir=b/tree:a/tree,upperdir=../v/upper,"
                + "workdir=../v/work,index=off,metacopy=off,redirect_dir=nofollow overlay /p")
        #expect(overlay.directory == "/l")
        #expect(overlay.environment == ["LIBMOUNT_FORCE_MOUNT2": "always"])
        #expect(
            Mount.overlay(["s", "a"], upper: nil, at: "/p", in: "/l").description
                == "mount --types overlay --options lowerdir=s:a,"
                + "index=off,metacopy=off,redirect_dir=nofollow overlay /p")
    }

    @Test func `what is mounted is told, the last of several`() {
        let mounts = #"""
            29 1 254:0 / / rw,relatime - ext4 /dev/vda rw
            30 29 0:50 / /a\040b rw shared:1 - tmpfs none rw
            31 29 0:51 /x /a\040b rw,noatime shared:1 master:2 - btrfs /dev/loop\1343 rw
            cut
            """#
        let found = MountedFilesystem.at("/a b", mounts: mounts)
        #expect(found?.type == "btrfs" && found?.device == #"/dev/loop\3"#)
        #expect(MountedFilesystem.at("/a", mounts: mounts) == nil)
    }

    @Test func `how btrfs ended is told`() {
        #expect(Btrfs.failure(.exited(0), said: "Chroot to /p") == nil)
        let full = "ERROR: write to f failed: No space left on device\n"
        #expect(Btrfs.failure(.exited(1), said: full)?.code == .noSpace)
        let said = "Chroot to /p\nERROR: unexpected header\n"
        let other = Btrfs.failure(.exited(1), said: said)
        #expect(other?.code == .toolFailed && other?.cause == "ERROR: unexpected header")
        #expect(ToolTexts.btrfsVersion("btrfs-progs v6.2\n-EXPERIMENTAL") == Version(6, 2))
        #expect(ToolTexts.btrfsVersion("btrfs 6") == nil)
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
