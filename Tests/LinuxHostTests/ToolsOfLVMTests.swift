import LinuxHost
import MigrationCore
import Testing

/// Every flag that is relied on, as it is passed.
@Suite struct ToolsOfLVMTests {
    private let own = LVM(group: "godwit-1", device: "/dev/loop0", hasUdev: false)
    private let foreign = LVM(group: "vg0", device: nil, hasUdev: true)

    /// What every command of a group says before its own words.
    private static let ours = """
        --devices /dev/loop0 --config \
        activation{error_when_full=1 udev_sync=0 udev_rules=0 monitoring=0} \
        devices{obtain_device_list_from_udev=0} backup{backup=0 archive=0}
        """

    private func words(_ command: Command) -> String {
        command.description.replacing(" \(Self.ours)", with: "")
            .replacing(" --config activation{error_when_full=1}", with: "")
    }

    @Test func `lvm is told of the one device, and that nobody makes device files`() {
        #expect(own.removeGroup().description == "lvm vgremove \(Self.ours) godwit-1")
        #expect(own.removeGroup().environment["LC_ALL"] == "C")
        #expect(words(foreign.removeGroup()) == "lvm vgremove vg0")
        let container = LVM(group: "vg0", device: nil, hasUdev: false).removeGroup()
        #expect(
            container.description == """
                lvm vgremove --config activation{error_when_full=1 udev_sync=0 udev_rules=0} \
                devices{obtain_device_list_from_udev=0} vg0
                """)
    }

    @Test func `groups and pools are made, grown and removed`() {
        #expect(
            words(LVM.groups(on: "/dev/loop0", hasUdev: false))
                == "lvm vgs --noheadings --options vg_name")
        #expect(words(foreign.find()) == "lvm vgs --noheadings --options vg_name vg0")
        #expect(
            words(foreign.room())
                == "lvm vgs --noheadings --units b --nosuffix --options vg_free vg0")
        #expect(
            words(own.makeGroup(on: "/dev/loop0"))
                == "lvm vgcreate --setautoactivation n godwit-1 /dev/loop0")
        #expect(words(own.release("/dev/loop0")) == "lvm pvremove /dev/loop0")
        #expect(words(own.grow("/dev/loop0")) == "lvm pvresize /dev/loop0")
        #expect(
            words(own.makePool("pool", size: nil, metadata: .mebibytes(8))) == """
                lvm lvcreate --type thin-pool --extents 100%FREE --poolmetadatasize 8388608b \
                --chunksize 65536b --name pool godwit-1
                """)
        #expect(
            words(foreign.makePool("p", size: .gibibytes(1), metadata: .mebibytes(8))) == """
                lvm lvcreate --type thin-pool --size 1073741824b --poolmetadatasize 8388608b \
                --chunksize 65536b --name p vg0
                """)
        #expect(
            words(own.growMetadata(of: "pool", to: .mebibytes(16)))
                == "lvm lvextend --poolmetadatasize 16777216b godwit-1/pool")
        #expect(
            words(own.grow("pool", to: nil)) == "lvm lvextend --extents +100%FREE godwit-1/pool")
        #expect(
            words(own.grow("v", to: .mebibytes(1))) == "lvm lvextend --size 1048576b godwit-1/v")
    }

    @Test func `volumes and snapshots are made, activated and removed`() {
        #expect(
            words(own.makeVolume("v", in: "pool", size: .mebibytes(1)))
                == "lvm lvcreate --thin --virtualsize 1048576b --name v godwit-1/pool")
        #expect(
            words(own.makeSnapshot("s", of: "v", isReadOnly: true)) == """
                lvm lvcreate --snapshot --setactivationskip n --permission r --name s godwit-1/v
                """)
        #expect(
            words(own.makeSnapshot("s", of: "v", isReadOnly: false)) == """
                lvm lvcreate --snapshot --setactivationskip n --permission rw --name s godwit-1/v
                """)
        #expect(
            words(own.activate(["a", "b"]))
                == "lvm lvchange --activate y --ignoreactivationskip godwit-1/a godwit-1/b")
        #expect(words(own.remove("v")) == "lvm lvremove --yes godwit-1/v")
        #expect(
            words(own.volumes()) == """
                lvm lvs --noheadings --separator | --units b --nosuffix --options \
                lv_name,pool_lv,thin_id,lv_size,lv_metadata_size godwit-1
                """)
    }

    @Test func `what lvs lists is read`() {
        let found = LVMVolume.all(
            """
              pool|||1056964608|8388608
              gw-1|pool|1|1056964608|
              WARNING: something
              |||5|

            """)
        #expect(found.map(\.name) == ["pool", "gw-1"])
        #expect(found.map(\.pool) == [nil, "pool"] && found.map(\.id) == [nil, 1])
        #expect(found[0].metadata == .mebibytes(8) && found[1].metadata == nil)
        #expect(found[1].size == .mebibytes(1_008))
        let version = "  LVM version:     2.03.16(2) (2022-05-18)\n  Library version: 1.02.185\n"
        #expect(ToolTexts.lvmVersion(version) == Version(2, 3, 16))
        #expect(ToolTexts.lvmVersion("LVM 2") == nil)
    }

    @Test func `device-mapper is asked by its own names`() {
        let name = Dmsetup.name(group: "my-group", volume: "godwit-fast")
        #expect(name == "my--group-godwit--fast")
        #expect(Dmsetup.status(of: name).description == "dmsetup status \(name)")
        #expect(
            Dmsetup.reserveMetadata(of: "d").description
                == "dmsetup message d 0 reserve_metadata_snap")
        #expect(
            Dmsetup.releaseMetadata(of: "d").description
                == "dmsetup message d 0 release_metadata_snap")
        #expect(
            ThinDump.mappings(of: 7, metadata: "/dev/mapper/p_tmeta").description
                == "thin_dump --metadata-snap --format xml --dev-id 7 /dev/mapper/p_tmeta")
    }

    @Test func `the status of a thin pool is read`() {
        let rest = "discard_passdown error_if_no_space - 1024"
        let good = ThinPoolStatus("0 1048576 thin-pool 3 14/2048 96/8192 - rw \(rest)\n")
        #expect(good?.size == .mebibytes(512) && good?.available == .mebibytes(506))
        #expect(good?.isWritable == true && good?.metadataUsed == 14 / 2_048)
        let full = ThinPoolStatus("0 128 thin-pool 3 1/2 1/1 7 out_of_data_space \(rest)")
        #expect(full?.available == .zero && full?.isWritable == false)
        for bad in [
            "", "0 8 linear", "0 8 thin-pool Fail", "0 8 thin-pool 1 1/2 3/2 - rw",
            "0 8 thin-pool 1 1/2 0/0 - rw", "0 -8 thin-pool 1 1/2 0/1 - rw",
            "0 18446744073709551615 thin-pool 1 1/2 0/1 - rw",
        ] { #expect(ThinPoolStatus(bad) == nil, "\(bad)") }
    }

    @Test func `a filesystem for a thin volume writes little`() {
        #expect(
            MakeExt4.filesystem(on: "/dev/v").description == """
                mkfs.ext4 -q -b 4096 -m 0 -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 /dev/v
                """)
        #expect(Resize2fs.grow("/dev/v").description == "resize2fs /dev/v")
        #expect(
            Mount.thin("/dev/v", at: "/p").description
                == "mount --types ext4 --options noinit_itable /dev/v /p")
        #expect(
            Mount.thinSnapshot("/dev/s", at: "/p").description
                == "mount --types ext4 --options ro,noload /dev/s /p")
        #expect(
            Losetup.attach("/f").description == "losetup --find --show --nooverlap /f")
        #expect(
            Losetup.devices(of: "/f").description
                == "losetup --noheadings --output NAME --associated /f")
        #expect(Losetup.detach("/dev/loop1").description == "losetup --detach /dev/loop1")
        #expect(
            KernelTexts.unwritten(meminfo: "Dirty:   12 kB\nWriteback:   3 kB\n") == .kibibytes(15))
    }
}
