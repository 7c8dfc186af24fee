import Foundation
import MigrationCore
import Testing
import godwit

/// What people see, line by line.
@Suite struct RenderingTests {
    private func report() throws -> MigrationReport {
        var report = MigrationReport(
            id: try MigrationID(String(repeating: "0", count: 32)), side: .source,
            instance: try InstanceName("web"), newName: try InstanceName("web"), peer: "host-b",
            mode: .live, started: Timestamp(milliseconds: 1_795_253_654_334))
        report.status = .succeeded
        report.phase = .confirm
        report.ended = Timestamp(milliseconds: 1_795_253_655_467)
        report.phases = zip(Phase.allCases, [12, 31, 812, 240, 18]).map { phase, milliseconds in
            MigrationReport.PhaseTime(phase: phase, milliseconds: milliseconds)
        }
        report.bytes = ["volume": 64_172_851, "delta": 419_430, "checkpoint": 14_784_921]
        report.downtime = [
            "freeze": 6, "checkpoint": 142, "delta": 71, "transfer": 12, "restore": 150,
            "network": 4,
        ]
        report.downtimeMilliseconds = 388
        return report
    }

    @Test func `a report is four lines`() throws {
        let text = reportText(try report(), host: "host-a", style: .plain)
        #expect(
            text == """
                web  host-a → host-b  succeeded  live
                  begin 12 ms · prepare 31 ms · perform 812 ms · finish 240 ms · confirm 18 ms
                  volume 61.2 MiB · delta 409.6 KiB · checkpoint 14.1 MiB
                  downtime 388 ms: freeze 6 · checkpoint 142 · delta 71 · transfer 12 · restore 150 \
                · network 4
                """)
    }

    @Test func `passes over files have a line, the latest by themselves`() throws {
        var report = try report()
        report.passes = (2...6).map {
            MigrationReport.Pass(
                volume: "web", number: $0, bytes: 1 << 20, milliseconds: Double($0) * 10)
        }
        let text = reportText(report, host: "host-a", style: .plain)
        #expect(
            text.contains(
                "\n  files: 1 earlier · web pass 3 1 MiB 30 ms · web pass 4 1 MiB 40 ms · "
                    + "web pass 5 1 MiB 50 ms · web pass 6 1 MiB 60 ms\n"))
    }

    @Test func `the target's report goes the same way, with the new name`() throws {
        var report = try report()
        report.side = .target
        report.peer = "host-a"
        report.newName = try InstanceName("shop")
        let text = reportText(report, host: "host-b", style: .plain)
        #expect(text.hasPrefix("web as shop  host-a → host-b  succeeded  live\n"))
    }

    @Test func `a failed report says why and what to do`() throws {
        var report = try report()
        report.status = .failed
        report.phases = []
        report.bytes = [:]
        report.downtimeMilliseconds = nil
        report.error = GodwitError(
            .restoreFailed, "the restore failed", remedy: "look into the log", cause: "no memory")
        let text = reportText(report, host: "host-a", style: .plain)
        #expect(
            text == """
                web  host-a → host-b  failed  live
                  error: the restore failed (restore-failed)
                    cause: no memory
                    → look into the log
                """)
    }

    @Test func `the details add id, times and statistics`() throws {
        var report = try report()
        report.statistics = ["criu-pages": 3_000, "criu-freeze-ms": 1.25]
        let text = detailText(report, progress: nil, host: "host-a", style: .plain)
        let lines = text.split(separator: "\n").suffix(3)
        #expect(
            Array(lines) == [
                "  id 00000000000000000000000000000000 · this host is the source",
                "  started 2026-11-21 09:34:14 UTC, took 1133 ms",
                "  criu-freeze-ms 1.3 · criu-pages 3000",
            ])
    }

    @Test func `colours are only where they are wanted`() throws {
        let report = try report()
        let plain = reportText(report, host: "a", style: .plain)
        let coloured = reportText(report, host: "a", style: Style(isColoured: true))
        #expect(!plain.contains("\u{1b}"))
        #expect(coloured.contains("\u{1b}[32msucceeded\u{1b}[0m"))
    }

    @Test func `migrations are a table`() throws {
        let text = migrationsText([try report()])
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines.count == 2)
        #expect(lines[0].hasPrefix("ID                                INSTANCE  PEER      MODE"))
        #expect(lines[1].hasSuffix("live  succeeded  2026-11-21 09:34:14  388 ms    75.7 MiB"))
        #expect(migrationsText([]) == "no migrations")
    }

    @Test func `progress names step, bytes, rate and time left`() throws {
        let progress = MigrationProgress(
            id: try report().id, phase: .perform, step: "send volume root",
            volumeSent: .mebibytes(3), volumeTotal: .mebibytes(9), checkpointSent: .kibibytes(2),
            bytesPerSecond: .mebibytes(100), secondsLeft: 61.2)
        #expect(
            progressText(progress)
                == "perform: send volume root · volume 3 MiB of 9 MiB · checkpoint 2 KiB "
                + "· 100 MiB/s · 62 s left"
        )
        let bare = MigrationProgress(
            id: progress.id, phase: .begin, step: "look", secondsLeft: .infinity)
        #expect(progressText(bare) == "begin: look · volume 0 B")
    }

    @Test func `without a terminal each step is told once`() throws {
        var printer = ProgressPrinter(redraws: false)
        var progress = MigrationProgress(id: try report().id, phase: .perform, step: "one")
        #expect(printer.text(for: progress) == "perform: one · volume 0 B\n")
        progress.volumeSent = .mebibytes(1)
        #expect(printer.text(for: progress).isEmpty)
        progress.step = "two"
        #expect(printer.text(for: progress) == "perform: two · volume 1 MiB\n")
        #expect(printer.end().isEmpty)
    }

    @Test func `on a terminal one line is drawn again, and taken away at the end`() throws {
        var printer = ProgressPrinter(redraws: true)
        let progress = MigrationProgress(id: try report().id, phase: .perform, step: "one")
        #expect(printer.text(for: progress) == "\r\u{1b}[Kperform: one · volume 0 B")
        #expect(printer.text(for: progress, columns: 9) == "\r\u{1b}[Kperform:")
        #expect(printer.end() == "\r\u{1b}[K")
        #expect(printer.end().isEmpty)
    }

    @Test func `a plan is its steps and what was found`() throws {
        let request = MoveRequest(
            name: try InstanceName("web"), remote: try RemoteName("host-b"))
        let finding = Finding("clock", .warning, cause: "the clocks differ", cure: "set them")
        let plan = Plan(
            steps: [
                .sendVolume("root", .rsync), .freeze, .sendDelta("root", .rsync), .endOriginal,
            ],
            options: MoveOptions(bandwidth: .mebibytes(10)), name: try InstanceName("shop"),
            startsOnTarget: true, warnings: [finding])
        let text = previewText(
            MovePreview(plan: plan, findings: [finding]), request: request, style: .plain)
        #expect(
            text == """
                web would move to host-b: live, tcp keep, as shop, at most 10 MiB/s
                  1. send volume root by rsync while the instance runs
                  2. freeze the instance
                  3. send what changed in volume root by rsync
                  4. end the frozen original
                warning clock: the clocks differ
                    → set them
                """)
    }

    @Test func `a refused plan shows refusals first`() throws {
        let request = MoveRequest(
            name: try InstanceName("web"), remote: try RemoteName("host-b"))
        let findings = [
            Finding("clock", .warning, cause: "the clocks differ", cure: "set them"),
            Finding("name", cause: "web is taken", cure: "use another"),
        ]
        let text = previewText(
            MovePreview(plan: nil, findings: findings), request: request, style: .plain)
        #expect(
            text == """
                web would not move to host-b: see below
                refused name: web is taken
                    → use another
                warning clock: the clocks differ
                    → set them
                """)
    }

    @Test func `after a cancelled move both hosts are told`() throws {
        let request = MoveRequest(
            name: try InstanceName("web"), remote: try RemoteName("host-b"))
        let definition = InstanceDefinition(
            name: request.name, process: ProcessDefinition(command: ["x"]), idMap: nil,
            created: Timestamp(milliseconds: 0))
        let view = InstanceView(
            definition: definition, observation: InstanceObservation(status: .running),
            migration: nil)
        let cancelled = GodwitError(.cancelled, "cancelled")
        #expect(
            outcomeText(request, view: view, error: cancelled)
                == "web is running on this host, and host-b has given up what it had of it")
        let undecided = GodwitError(.custodyUndecided, "undecided")
        let text = outcomeText(request, view: view, error: undecided)
        #expect(text.contains("godwit resolve web"))
        #expect(outcomeText(request, view: nil, error: cancelled).contains("ask host-b"))
    }

    private func nightly() throws -> SnapshotSchedule {
        SnapshotSchedule(times: try CronTimes("@daily"), keptSeconds: 604_800, isStateful: true)
    }

    private func snapshots(at moment: Timestamp) throws -> [Snapshot] {
        [
            Snapshot(name: try SnapshotName("snap0"), created: moment),
            Snapshot(
                name: try SnapshotName("mine"), created: moment,
                expires: Timestamp(milliseconds: moment.milliseconds + 3_600_000),
                isStateful: true),
        ]
    }

    @Test func `an instance is shown with all it has`() throws {
        var definition = InstanceDefinition(
            name: try InstanceName("web"),
            process: ProcessDefinition(command: ["sh", "-c", "echo it's"]),
            limits: ResourceLimits(
                memory: .mebibytes(64), cpuMillis: 1500, cpuWeight: 50,
                ioLimits: [IOLimit(device: "/dev/vda", readBytes: 1 << 20, writeOperations: 9)],
                devices: [DeviceAccess(path: "/dev/fuse", access: "rw")]),
            idMap: IDMap(hostStart: 1_000_000, count: 65_536),
            interfaces: [
                InterfaceDefinition(
                    name: "eth0", bridge: "br0", hardwareAddress: "10:66:6a:34:e7:f9",
                    addresses: ["10.0.0.5/24"], gateways: ["10.0.0.1"])
            ],
            mounts: [MountDefinition(hostPath: "/srv", path: "/data", isReadOnly: true)],
            created: Timestamp(milliseconds: 1_795_253_654_334),
            image: InstanceImage(
                digest: try BlobDigest("sha256:" + String(repeating: "5e", count: 32)),
                name: try ImageName("redis")))
        definition.snapshotSchedule = try nightly()
        let observation = InstanceObservation(
            status: .running, pid: 42, processes: 2, memory: .mebibytes(12),
            cpuNanoseconds: 1_500_000_000, memoryPeak: .mebibytes(20),
            io: IOUsage(read: .mebibytes(3), written: .kibibytes(4)))
        let moment = Timestamp(milliseconds: 1_795_253_654_334)
        let snapshots = try snapshots(at: moment)
        let view = InstanceView(
            definition: definition, observation: observation, migration: nil,
            snapshots: snapshots)
        #expect(
            infoText(view) == #"""
                Name:            web
                Status:          running
                Kind:            oci
                Created:         2026-11-21 09:34:14 UTC
                Image:           redis (sha256:5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e)
                Command:         sh -c 'echo it'\''s'
                User:            0:0 in /
                PID:             42
                Processes:       2
                Memory:          12 MiB, at most 20 MiB
                CPU time:        1.5 s
                IO:              3 MiB read · 4 KiB written
                Limits:          memory 64 MiB · cpus 1.5 · cpu weight 50
                IO limit:        /dev/vda: read 1 MiB/s · 9 writes/s
                Device:          /dev/fuse (rw)
                User namespace:  ids 0–65535 are 1000000 and up on the host
                Pool:            default
                Mount:           /data from /srv, read-only
                Interface:       eth0 on br0, 10:66:6a:34:e7:f9, 10.0.0.5/24 via 10.0.0.1
                Schedule:        @daily, kept for 7d, stateful
                Snapshot:        snap0 (taken at 2026-11-21 09:34:14 UTC) (stateless)
                Snapshot:        mine (taken at 2026-11-21 09:34:14 UTC) (stateful) (expires at 2026-11-21 10:34:14 UTC)
                """#)
        #expect(
            listText([view]) == """
                NAME  STATUS   ADDRESSES    PROCESSES  MEMORY  SNAPSHOTS
                web   running  10.0.0.5/24  2          12 MiB  2
                """)
    }

    @Test func `an image is shown with what it says`() throws {
        let blobs = try ["5e", "a1", "b2"].map { digits in
            ImageBlob(
                digest: try BlobDigest("sha256:" + String(repeating: digits, count: 32)),
                size: .mebibytes(3))
        }
        let image = StoredImage(
            manifest: blobs[0], config: blobs[1],
            layers: [
                ImageLayer(blob: blobs[2], contentDigest: blobs[2].digest, compression: .none)
            ],
            architecture: "amd64", created: nil, origin: .layout,
            defaults: ImageDefaults(command: ["a b", "c"], environment: ["A=1"], user: "7"))
        let view = ImageView(
            image: image, aliases: [try ImageName("redis"), try ImageName("redis-7")],
            imported: Timestamp(milliseconds: 1_795_253_654_334), instances: [])
        #expect(
            imagesText([view]) == """
                NAME           DIGEST        ARCHITECTURE  LAYERS  SIZE   IMPORTED
                redis redis-7  5e5e5e5e5e5e  amd64         1       9 MiB  2026-11-21 09:34:14
                """)
        #expect(imagesText([]).contains("godwit image import"))
        #expect(
            imageText(view) == """
                Name:          redis redis-7
                Digest:        \(blobs[0].digest)
                Made of:       an OCI image layout
                Architecture:  amd64
                Size:          9 MiB
                Imported:      2026-11-21 09:34:14 UTC
                Command:       'a b' c
                Environment:   A=1
                User:          7
                Layer:         \(blobs[2].digest), 3 MiB
                Instances:     none
                """)
    }

    @Test func `columns are as wide as what people see of them`() {
        #expect(displayWidth("日本") == 4)
        #expect(displayWidth("e\u{301}") == 1)
        #expect(displayWidth("🐦") == 2)
        let text = table(["A", "B"], [["日本", "x"], ["", "y"]], empty: "none")
        #expect(text == "A     B\n日本  x\n-     y")
        #expect(table(["A"], [], empty: "none") == "none")
    }

    @Test(
        arguments: [
            ("1", 1), ("512KiB", 512 << 10), ("100MiB", 100 << 20), ("64M", 64 << 20),
            ("2GB", 2_000_000_000),
            ("1.5GiB", 3 << 29), ("10 mb", 10_000_000), ("100MiB/s", 100 << 20), ("1k", 1024),
        ] as [(String, UInt64)])
    func `a size is read`(text: String, bytes: UInt64) throws {
        #expect(try parseSize(text) == ByteCount(bytes: bytes))
    }

    @Test(arguments: ["", "0", "-1", "MiB", "1XB", "1.2.3M", "0.1", "99999999TiB", "1e3", "٣"])
    func `what is no size is refused with an example`(text: String) {
        let error = #expect(throws: GodwitError.self) { try parseSize(text) }
        #expect(error?.code == .badRequest)
        #expect(error?.remedy?.contains("100MiB") == true)
    }

    @Test func `a pool is shown with what it keeps`() throws {
        let id = try MigrationID(String(repeating: "a", count: 32))
        let copy = KeptCopy(
            id: id, kind: .volume, instance: try InstanceUUID(id.text),
            name: try InstanceName("web"), pool: "fast",
            kept: Timestamp(milliseconds: 1_795_253_654_334),
            expires: Timestamp(milliseconds: 1_795_257_254_334), used: .mebibytes(3))
        var base = copy
        (base.kind, base.used) = (.base, .zero)
        var pool = PoolView(
            definition: PoolDefinition(name: "fast", kind: .btrfs), facts: nil,
            kept: [copy, base])
        let kept = """
            INSTANCE  KEPT  SIZE   SINCE (UTC)          UNTIL (UTC)
            web       copy  3 MiB  2026-11-21 09:34:14  2026-11-21 10:34:14
            web       base  -      2026-11-21 09:34:14  2026-11-21 10:34:14
            """
        #expect(poolText(pool).hasSuffix("Kept copies:  2\n\n\(kept)"))
        #expect(prunedText([copy, base]) == "\(kept)\n\nremoved: 3 MiB")
        pool.kept = nil
        #expect(poolText(pool).hasSuffix("Kept copies:  none"))
        #expect(prunedText([]) == "nothing was kept there")
    }

    @Test(
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (1_048_575, "1 MiB"),
            (64_172_851, "61.2 MiB"), (UInt64.max, "16 EiB"),
        ] as [(UInt64, String)])
    func `a size is written`(bytes: UInt64, text: String) {
        #expect(sizeText(ByteCount(bytes: bytes)) == text)
    }

    @Test(
        arguments: [
            (0.04, "0 ms"), (4.25, "4.3 ms"), (12, "12 ms"), (9_999, "9999 ms"), (12_340, "12.3 s"),
            (125_000, "2 min 5 s"), (7_380_000, "2 h 3 min"), (.infinity, "?"),
        ] as [(Double, String)])
    func `a time is written`(milliseconds: Double, text: String) {
        guard milliseconds.isFinite else {
            return #expect(decimal(milliseconds, places: 0) == text)
        }
        #expect(millisecondsText(milliseconds) == text)
    }
}
