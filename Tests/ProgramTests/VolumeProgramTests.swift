import MigrationCore
import Testing
import godwit

/// Volumes and mounts on the command line, and how they are shown.
@Suite struct VolumeProgramTests {
    private func words(_ line: String) -> [String] { line.split(separator: " ").map(String.init) }

    @Test func `a launch mounts paths of the host and volumes`() throws {
        let line = "launch /i db --mount /srv:/srv:ro --volume data:/d --volume fast/x:/x:ro"
        #expect(
            try Reading.launch(words(line)).mounts == [
                MountDefinition(hostPath: "/srv", path: "/srv", isReadOnly: true),
                MountDefinition(
                    path: "/d", isReadOnly: false, volume: try VolumeReference("data")),
                MountDefinition(
                    path: "/x", isReadOnly: true, volume: try VolumeReference("fast/x")),
            ])
    }

    @Test(arguments: ["data", "data:", "data:d", ":/d", "a/b/c:/d", "data:/d:rw", "da_ta:/d"])
    func `what is no volume is refused`(text: String) {
        #expect(Reading.refusal(words("launch /i db --volume \(text)"))?.status == 64)
    }

    @Test func `a move says what becomes of mounts`() throws {
        let line = """
            move db host-b: --mount /a=share --mount /b=skip --mount /c=/mnt/c --mount /d=move \
            --mount /e=refuse --mount /f=g=/h
            """
        #expect(
            try Reading.move(words(line)).request.mounts == [
                "/a": .share, "/b": .skip, "/c": .remap("/mnt/c"), "/d": .move, "/e": .refuse,
                "/f=g": .remap("/h"),
            ])
        #expect(try Reading.move(words("move db host-b:")).request.mounts == [:])
    }

    @Test(arguments: [
        "--mount /a", "--mount /a=", "--mount /a=burn", "--mount a=skip", "--mount =skip",
        "--mount /a=skip --mount /a=share",
    ])
    func `what says nothing of a mount is refused`(text: String) {
        #expect(Reading.refusal(words("move db host-b: \(text)"))?.status == 64)
    }

    @Test(arguments: [
        "volume create data", "volume create fast/data", "volume list", "volume list fast",
        "volume info data", "volume attach data db /d --read-only", "volume detach data db",
        "volume delete fast/data",
    ])
    func `volumes have their verbs`(line: String) {
        #expect(Reading.refusal(words(line)) == nil)
    }

    @Test func `volumes are shown with who has them`() throws {
        let use = VolumeUse(instance: try InstanceName("db"), path: "/d", isReadOnly: true)
        let moment = Timestamp(milliseconds: 1_795_253_654_334)
        let volumes = [
            VolumeView(
                volume: try VolumeReference("data"), created: moment, used: .mebibytes(3),
                idMap: IDMap(hostStart: 1_000_000, count: 65_536), uses: [use]),
            VolumeView(volume: try VolumeReference("fast/x"), created: moment),
        ]
        let rows = volumesText(volumes).split(separator: "\n").map {
            $0.split(separator: " ").joined(separator: " ")
        }
        #expect(rows == ["NAME POOL USED INSTANCES", "data default 3 MiB db", "x fast - -"])
        #expect(volumesText([]).contains("godwit volume create"))
        #expect(
            volumeText(volumes[0]) == """
                Name:      data
                Pool:      default
                Created:   2026-11-21 09:34:14 UTC
                Used:      3 MiB
                Ids:       from 1000000 on the host
                Attached:  db at /d, read-only
                """)
        #expect(volumeText(volumes[1]).hasSuffix("Attached:  to no instance"))
    }

    @Test func `every treatment is told in the plan`() {
        let lines = mountLines([
            "/a": .move, "/b": .share, "/c": .remap("/mnt"), "/d": .skip, "/e": .refuse,
        ])
        #expect(
            lines == [
                "/a: move (the volume travels with the instance)",
                "/b: share (the target has the same)", "/c: remap (/mnt of the target)",
                "/d: skip (it is not there on the target)", "/e: refuse",
            ])
        #expect(mountLines(nil) == [])
    }
}
