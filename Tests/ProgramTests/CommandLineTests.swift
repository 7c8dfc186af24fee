import MigrationCore
import Testing
import godwit

/// What each command line is read as.
@Suite struct CommandLineTests {
    private func words(_ line: String) -> [String] { line.split(separator: " ").map(String.init) }

    @Test func `a launch with everything`() throws {
        let line = """
            launch /images/redis db --memory 512MiB --cpus 1.5 --processes 10 --env A=1 \
            --env B=x=y \
            --user 7:8 --workdir /srv --privileged --bridge br0 --address 10.0.0.5/24 \
            --address fd00::5/64 --gateway 10.0.0.1 \
            --network bridge=br1,address=10.1.0.5/24,hwaddr=10:66:6a:00:00:06 \
            --network bridge=br2,route=10.2.0.0/16@10.1.0.1,mtu=1400 \
            --publish 8080:80 --publish 10.0.0.9:53:5353/udp --publish [fd00::9]:81:80/tcp \
            --mount /srv:/data:ro --mount /a:/b --pool fast --no-start -- redis-server --port 1
            """
        let request = try Reading.launch(words(line))
        let expected = LaunchRequest(
            name: try InstanceName("db"), root: .path("/images/redis"),
            command: ["redis-server", "--port", "1"], environment: ["A=1", "B=x=y"],
            workingDirectory: "/srv", userID: 7, groupID: 8,
            limits: ResourceLimits(memory: .mebibytes(512), cpuMillis: 1500, processes: 10),
            isPrivileged: true,
            interfaces: [
                InterfaceRequest(
                    bridge: "br0", addresses: ["10.0.0.5/24", "fd00::5/64"],
                    gateways: ["10.0.0.1"]),
                InterfaceRequest(
                    bridge: "br1", addresses: ["10.1.0.5/24"],
                    hardwareAddress: "10:66:6a:00:00:06"),
                InterfaceRequest(
                    bridge: "br2", addresses: [], mtu: 1400,
                    routes: [RouteDefinition(network: "10.2.0.0/16", gateway: "10.1.0.1")]),
            ],
            mounts: [
                MountDefinition(hostPath: "/srv", path: "/data", isReadOnly: true),
                MountDefinition(hostPath: "/a", path: "/b", isReadOnly: false),
            ],
            ports: [
                PortDefinition(hostPort: 8080, port: 80),
                PortDefinition(
                    transport: .udp, hostAddress: "10.0.0.9", hostPort: 53, port: 5353),
                PortDefinition(hostAddress: "fd00::9", hostPort: 81, port: 80),
            ],
            pool: "fast", starts: false)
        #expect(request == expected)
    }

    @Test(arguments: [
        "80", "80:", ":80", "0:80", "80:0", "80:70000", "80:80/sctp", "10.0.0.9:80",
        "fd00::9:80:80", "[10.0.0.9]:80:80", "nonsense:80:80", "80:80/udp/udp",
    ])
    func `what is no published port is refused`(text: String) {
        #expect(throws: (any Error).self) {
            try Reading.launch(words("launch /images/redis db --publish \(text)"))
        }
    }

    @Test(arguments: [
        "--network none --bridge br0", "--network none --network none",
        "--network bridge=br0,route=10.0.0.0/8", "--network bridge=br0,mtu=many",
        "--network address=10.0.0.5/24", "--network bridge=br0,bridge=br1",
        "--network bridge=br0,parent=eth0", "--network parent=eth0,parent=eth1",
        "--network parent=eth0,nictype=ipvlan", "--network bridge=br0,nictype=macvlan",
    ])
    func `what is no interface is refused`(text: String) {
        #expect(throws: (any Error).self) {
            try Reading.launch(words("launch /images/redis db \(text)"))
        }
    }

    @Test(arguments: [
        ("parent=eth0", NICType.macvlan), ("nictype=macvlan,parent=eth0", .macvlan),
        ("bridge=eth0", nil), ("nictype=bridged,parent=eth0", nil),
        ("bridge=eth0,nictype=bridged", nil),
    ])
    func `an interface hangs on a bridge or a parent`(text: String, type: NICType?) throws {
        let line = "launch /images/redis db --network \(text),address=10.0.0.5/24"
        #expect(
            try Reading.launch(words(line)).interfaces == [
                InterfaceRequest(bridge: "eth0", addresses: ["10.0.0.5/24"], nicType: type)
            ])
    }

    @Test func `no network at all may be said`() throws {
        let request = try Reading.launch(words("launch /images/redis db --network none"))
        #expect(request.interfaces == [])
    }

    @Test func `a launch with limits of every kind`() throws {
        let line = """
            launch /images/redis db --memory 512MiB --memory-reservation 64MiB \
            --memory-swap 1GiB --cpu-weight 300 --cpuset-cpus 0-1,3 --io-weight 20 \
            --device-read-bps /dev/vda:1MiB --device-write-bps /dev/vdb:2MiB \
            --device-read-iops /dev/vda:100 --device-write-iops /dev/vda:200 \
            --device /dev/fuse --device /dev/net/tun:rw --delegate-cgroups
            """
        let expected = ResourceLimits(
            memory: .mebibytes(512), memoryReservation: .mebibytes(64), memorySwap: .gibibytes(1),
            cpuWeight: 300, cpuset: try ProcessorSet(parsing: "0,1,3"), ioWeight: 20,
            ioLimits: [
                IOLimit(
                    device: "/dev/vda", readBytes: 1 << 20, readOperations: 100,
                    writeOperations: 200),
                IOLimit(device: "/dev/vdb", writeBytes: 2 << 20),
            ],
            devices: [
                DeviceAccess(path: "/dev/fuse"), DeviceAccess(path: "/dev/net/tun", access: "rw"),
            ], delegatesCgroups: true)
        #expect(try Reading.launch(words(line)).limits == expected)
        for wrong in ["--cpu-weight 0", "--cpuset-cpus x", "--device /etc", "--device-read-bps /a"]
        {
            #expect(throws: (any Error).self) {
                try Reading.launch(words("launch /images/redis db " + wrong))
            }
        }
    }

    @Test func `a launch with nothing but root and name`() throws {
        let request = try Reading.launch(words("launch /images/redis db"))
        let expected = LaunchRequest(name: try InstanceName("db"), root: .path("/images/redis"))
        #expect(request == expected)
    }

    @Test func `a relative root is made absolute for the daemon`() throws {
        let request = try Reading.launch(words("launch images/redis db"))
        guard case .path(let path) = request.root else {
            Issue.record("a path was taken for an image: \(request.root)")
            return
        }
        #expect(path.hasPrefix("/"))
        #expect(path.hasSuffix("/images/redis"))
    }

    @Test func `a word without a slash names an image`() throws {
        let request = try Reading.launch(words("launch redis-7 db"))
        #expect(request.root == .image(try ImageName("redis-7")))
    }

    @Test func `a move with everything`() throws {
        let (request, isDryRun) = try Reading.move(
            words(
                "move db host-b:cache --cold --bandwidth 100MiB --paused --keep-definition "
                    + "--timeout 9 --tcp close --network br0=lan --network br1=dmz"
            ))
        let expected = MoveRequest(
            name: try InstanceName("db"), remote: try RemoteName("host-b"), mode: .cold,
            tcp: .close, newName: try InstanceName("cache"), bandwidth: .mebibytes(100),
            isPaused: true, keepsDefinition: true, timeoutSeconds: 9,
            networks: ["br0": "lan", "br1": "dmz"], keepSeconds: Limit.usualKeptSeconds)
        #expect(request == expected)
        #expect(!isDryRun)
    }

    @Test(arguments: [("none", nil), ("90s", 90), ("2h", 7_200), ("366d", Limit.keptSeconds)])
    func `a copy is kept for as long as is said`(text: String, seconds: UInt32?) throws {
        let (request, _) = try Reading.move(words("move db host-b: --keep-copy \(text)"))
        #expect(request.keepSeconds == seconds)
    }

    @Test(arguments: ["0", "367d", "ever", ""])
    func `what is no time for a copy is refused`(text: String) {
        #expect(Reading.refusal(["move", "db", "host-b:", "--keep-copy", text]) != nil)
    }

    @Test(arguments: [("600", 600), ("90s", 90), ("10m", 600), ("2h", 7_200), ("30d", 2_592_000)])
    func `forwarding lasts as long as is said`(text: String, seconds: UInt32) throws {
        let (request, _) = try Reading.move(words("move db host-b: --forward \(text)"))
        #expect(request.forwardSeconds == seconds)
    }

    @Test(arguments: ["0", "31d", "h", "-1", "1w", "9999999999", "99999999d", "1h --cold"])
    func `what is no time to forward for is refused`(text: String) {
        #expect(throws: (any Error).self) {
            try Reading.move(words("move db host-b: --forward \(text)"))
        }
    }

    @Test(arguments: ["br0", "br0=", "=lan", "a=b=c", "br0=lan --network br0=dmz"])
    func `what renames no bridge, or one twice, is refused`(text: String) {
        #expect(throws: (any Error).self) {
            try Reading.move(words("move db host-b: --network \(text)"))
        }
    }

    @Test func `a move with nothing but name and remote`() throws {
        let (request, isDryRun) = try Reading.move(words("move db host-b: --dry-run"))
        let expected = MoveRequest(
            name: try InstanceName("db"), remote: try RemoteName("host-b"),
            keepSeconds: Limit.usualKeptSeconds)
        #expect(request == expected)
        #expect(isDryRun)
    }

    @Test func `the new name may be an option`() throws {
        let (request, isDryRun) = try Reading.move(words("move db host-b: --rename cache --live"))
        #expect(!isDryRun)
        #expect(request.newName == (try InstanceName("cache")))
        #expect(request.mode == .live)
    }

    @Test(arguments: [
        ("move db host-b", "with a colon"), ("move db host-b:a --rename b", "two names"),
        ("move db host-b: --live --cold", "exclude each other"),
        ("move 9db host-b:", "a letter first"), ("move db host-b: --bandwidth fast", "512KiB"),
        ("move db host-b: --timeout 0", "above 0"), ("move db host-b: --tcp maybe", "tcp"),
        ("launch / db --address 10.0.0.1/24", "--bridge"), ("launch / db --env A", "NAME=VALUE"),
        ("launch / db --cpus 0", "--cpus"), ("launch / db --mount a:b", "--mount"),
        ("launch / db --network address=1", "--network"), ("launch / db --user x", "--user"),
        ("stop db --timeout -1", "--timeout"), ("exec db", "--"),
        ("resolve db", "--keep-here"), ("resolve db --keep-here --gone", "one of"),
        ("migration show 12", "32 hexadecimal"), ("list --format xml", "--format"),
        ("snapshot db/snap0", "a letter first"),
        ("snapshot db .x", "letter or digit first"), ("snapshot db --expires 0", "7d"),
        ("snapshot db --expires 11000d", "ten years"), ("delete db/", "snapshot name"),
        ("restore db", "snapshot"), ("copy db", "new-name"), ("copy db a/b", "a letter first"),
        ("copy db a --no-address --keep-addresses", "exclude each other"),
        ("copy db host-b:a:b", "host-b:web2"), ("expire db/snap0", "duration"),
        ("expire db/snap0 soon", "7d"), ("schedule db", "times"),
        ("schedule db daily", "@daily"), ("expire db 7d", "NAME/SNAP"),
        ("schedule db none --stateful", "none ends"),
        ("image import", "path"), ("image import a b/c", "64 letters"),
        ("image export a", "path"), ("image delete ..", "64 letters"), ("fly", "fly"),
    ])
    func `a wrong line is refused with what was expected`(line: String, text: String) throws {
        let refusal = try #require(Reading.refusal(words(line)), "\(line) was read")
        #expect(refusal.text.contains(text), "\(refusal.text)")
        #expect(refusal.status == 64)
    }

    @Test(arguments: [
        "list", "ls", "info db", "start db", "stop db --force", "restart db --timeout 5",
        "pause db",
        "resume db", "delete db -f", "rename db cache", "exec db -- ls -l", "logs db",
        "migrations", "migrations db", "migration show 00000000000000000000000000000000",
        "migration cancel 00000000000000000000000000000000", "resolve db --gone", "check",
        "remote add host-b TOKEN", "remote list", "remote remove host-b", "remote remove host-b:",
        "trust add host-a", "trust list", "trust remove host-a", "version",
        "list --format json --socket /tmp/x", "snapshot db", "snapshot db mine --expires 7d",
        "restore db snap0", "delete db/snap0", "copy db db2", "cp db/snap0 db2 --no-address",
        "copy db db2 --address 10.0.0.9/24 --address fd00::9/64", "copy db db2 --keep-addresses",
        "copy db host-b: --no-address", "copy db/snap0 host-b:db2 --no-address", "list db web",
        "expire db/snap0 7d", "expire db/snap0 never", "schedule db none",
        "schedule db @daily --expires 7d --stateful",
        "move db host-b: --without-snapshots", "pool prune fast --format json",
    ])
    func `every other line is read`(line: String) {
        #expect(Reading.refusal(words(line)) == nil)
    }

    @Test func `an exec keeps the command's own options`() throws {
        let exec = try Reading.exec(
            words("exec db --env A=b=c --env A=2 --user 5 --cwd /srv -- tar -x --help"))
        #expect(exec.command == ["tar", "-x", "--help"])
        #expect(exec.environment == ["A": "2"])
        #expect(exec.user == 5)
    }

    @Test func `every command helps with an example`() throws {
        let discussions = Reading.discussions
        #expect(discussions.count > 20)
        for (command, text) in discussions where command != "version" {
            #expect(text.contains("godwit "), "\(command)")
        }
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func `a completion script can be made`(shell: String) throws {
        let script = try #require(Reading.refusal(["--generate-completion-script", shell]))
        #expect(script.status == 0)
        #expect(script.text.contains("godwit"))
    }
}
