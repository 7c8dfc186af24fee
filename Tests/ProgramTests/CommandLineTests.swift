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
            --mount /srv:/data:ro --mount /a:/b --pool fast --no-start -- redis-server --port 1
            """
        let request = try Reading.launch(words(line))
        let expected = LaunchRequest(
            name: try InstanceName("db"), rootPath: "/images/redis",
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
            ],
            mounts: [
                MountDefinition(hostPath: "/srv", path: "/data", isReadOnly: true),
                MountDefinition(hostPath: "/a", path: "/b", isReadOnly: false),
            ],
            pool: "fast", starts: false)
        #expect(request == expected)
    }

    @Test func `a launch with nothing but root and name`() throws {
        let request = try Reading.launch(words("launch /images/redis db"))
        let expected = LaunchRequest(name: try InstanceName("db"), rootPath: "/images/redis")
        #expect(request == expected)
    }

    @Test func `a relative root is made absolute for the daemon`() throws {
        let request = try Reading.launch(words("launch images/redis db"))
        #expect(request.rootPath.hasPrefix("/"))
        #expect(request.rootPath.hasSuffix("/images/redis"))
    }

    @Test func `a move with everything`() throws {
        let (request, isDryRun) = try Reading.move(
            words(
                "move db host-b:cache --cold --bandwidth 100MiB --paused --keep-definition "
                    + "--timeout 9 --tcp close"
            ))
        let expected = MoveRequest(
            name: try InstanceName("db"), remote: try RemoteName("host-b"), mode: .cold,
            tcp: .close, newName: try InstanceName("cache"), bandwidth: .mebibytes(100),
            isPaused: true, keepsDefinition: true, timeoutSeconds: 9)
        #expect(request == expected)
        #expect(!isDryRun)
    }

    @Test func `a move with nothing but name and remote`() throws {
        let (request, isDryRun) = try Reading.move(words("move db host-b: --dry-run"))
        let expected = MoveRequest(name: try InstanceName("db"), remote: try RemoteName("host-b"))
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
        ("fly", "fly"),
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
        "list --format json --socket /tmp/x",
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
