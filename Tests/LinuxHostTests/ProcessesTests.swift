import Foundation
import LinuxHost
import MigrationCore
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ProcessesTests {
    @Test func `a tool's output, messages and status are kept apart`() async throws {
        let result = try await Command("sh", ["-c", "echo out; echo err >&2; exit 3"]).run()
        #expect(result.status == .exited(3))
        #expect(result.text == "out\n" && result.errorText == "err\n")
        #expect(!result.status.isSuccess)
    }

    @Test func `a tool reads its input to the end`() async throws {
        let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0) }
        let result = try await Command("cat", []).run(input: bytes, limit: .mebibytes(2))
        #expect(result.output == bytes)
    }

    @Test func `a tool that does not read its input is no error`() async throws {
        let input = [UInt8](repeating: 0x61, count: 1 << 20)
        #expect(try await Command("true", []).run(input: input).status.isSuccess)
    }

    @Test func `output beyond the limit is read and dropped`() async throws {
        let command = Command("sh", ["-c", "head -c 3000000 /dev/zero; echo end >&2"])
        let result = try await command.run(limit: ByteCount(bytes: 1_000))
        #expect(result.output.count == 1_000)
        #expect(result.errorText == "end\n")
    }

    @Test func `a status other than 0 fails a check with what the tool said`() async throws {
        let command = Command(
            "sh", ["-c", "for i in 1 2 3 4 5 6; do echo line $i >&2; done; exit 7"])
        do {
            try await command.check()
            Issue.record("no error")
        } catch {
            let error = try #require(error as? GodwitError)
            #expect(error.code == .toolFailed)
            #expect(error.message == "sh ended with status 7")
            #expect(error.cause == "line 2; line 3; line 4; line 5; line 6")
            #expect(error.remedy?.contains("the command was: sh -c") == true)
        }
    }

    @Test func `a tool that is not there is named`() async throws {
        do {
            _ = try await Command("godwit-no-such-tool", []).run()
            Issue.record("no error")
        } catch {
            let error = try #require(error as? GodwitError)
            #expect(error.code == .toolMissing && error.message.contains("godwit-no-such-tool"))
        }
    }

    @Test func `a killed tool's status is the shell's`() async throws {
        let result = try await Command("sh", ["-c", "kill -9 $$"]).run()
        #expect(result.status == .signalled(SIGKILL))
        #expect(result.status.number == 137)
    }

    @Test func `environment and directory are what the command says`() async throws {
        let command = Command(
            "sh", ["-c", "echo $GODWIT_TEST; pwd; echo ${PATH:+path}"],
            environment: ["GODWIT_TEST": "a b"], directory: "/usr")
        #expect(try await command.check() == "a b\n/usr\npath\n")
    }

    @Test(.enabled(if: getuid() == 0))
    func `a tool in a root of its own sees only what it works on`() async throws {
        let here = FileManager.default.temporaryDirectory.path + "/godwit-root-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: here) }
        for name in ["read", "write"] { try Directories.make("\(here)/\(name)", mode: 0o755) }
        try await Command(
            "sh", ["-ec", "cd $0; echo a > read/a; ln -s $0 read/out; mknod read/null c 1 3", here]
        ).check()
        let root = ToolRoot(reading: (here + "/read", "in/r"), writing: (here + "/write", "w"))
        let script = """
            ls /; ls /in/r/out/; ls /etc; ls /proc; echo b > /in/r/a; cat /in/r/null
            cat /in/r/a > /w/b && cat /w/../in/../../w/b
            """
        let result = try await Command("sh", ["-c", script], root: root).run()
        #expect(result.text == "bin\ndev\netc\nin\nlib\nlib64\nusr\nw\nld.so.cache\na\n")
        #expect(
            result.errorText.split(separator: "\n").map { $0.split(separator: ": ").last } == [
                "No such file or directory", "No such file or directory", "Read-only file system",
                "Permission denied",
            ])
        #expect(try await Command("cat", [here + "/write/b"]).check() == "a\n")
    }

    @Test(.enabled(if: getuid() == 0))
    func `what a tool in a root of its own does not find is named`() async throws {
        let root = ToolRoot(reading: ("/godwit-none", "tree"))
        await #expect(throws: GodwitError(.notFound, "")) {
            try await Command("true", [], root: root).run()
        }
        await #expect(throws: GodwitError(.toolMissing, "")) {
            try await Command("godwit-none", [], root: ToolRoot(reading: ("/usr", "tree"))).run()
        }
    }

    @Test func `a child has the descriptors it was given and no others`() async throws {
        let extra = try Descriptor.open("/dev/null", O_RDONLY)
        let (read, write) = try Descriptor.pipe()
        // A number that the child is given is another's number here: both must arrive.
        let child = try ChildProcess.start(
            Command("sh", ["-c", "ls -x /proc/self/fd >&5"]),
            descriptors: [(extra, 0), (extra, 1), (extra, 2), (write, 5), (extra, write.number)])
        write.close()
        let names = try await blocking { String(decoding: try readAll(read), as: UTF8.self) }
        #expect(await child.wait() == .exited(0))
        let numbers = Set(names.split { !$0.isNumber }.compactMap { Int32($0) })
        // One more is the directory that ls reads.
        #expect(numbers.isSuperset(of: [0, 1, 2, 5, write.number]))
        #expect(numbers.count <= 6)
    }

    @Test func `a child starts with default signals and none blocked`() async throws {
        let status = try await Command("grep", ["-E", "Sig(Blk|Ign)", "/proc/self/status"]).check()
        let masks = status.split { $0.isWhitespace }.compactMap { UInt64($0, radix: 16) }
        // Signals 32 and 33 belong to glibc's threads and cannot be set back.
        #expect(masks.map { $0 & ~0x1_8000_0000 } == [0, 0])
    }

    @Test func `a child leads a group, or a session, of its own`() async throws {
        let script = "set -- $(cat /proc/self/stat); echo $5 $6; echo $PPID"
        let own = try await Command("sh", ["-c", script]).check().split { $0.isWhitespace }
        #expect(own[1] != own[0] && own[2] == "\(getpid())")
        let (read, write) = try Descriptor.pipe()
        let null = try Descriptor.open("/dev/null", O_RDWR)
        let child = try ChildProcess.start(
            Command("sh", ["-c", script]), descriptors: [(null, 0), (write, 1), (null, 2)],
            inNewSession: true)
        write.close()
        let said = try await blocking { String(decoding: try readAll(read), as: UTF8.self) }
        #expect(await child.wait().isSuccess)
        #expect(said.hasPrefix("\(child.pid) \(child.pid)\n"))
    }

    @Test func `cancelling ends a tool and what it has started`() async throws {
        let task = Task {
            // The inner sleep holds the pipes: killing the shell alone would not end the run.
            try await Command("sh", ["-c", "sleep 600; true"]).run()
        }
        while !(try await isAnyChildAsleep()) { await Task.yield() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    private func isAnyChildAsleep() async throws -> Bool {
        try await Command("pgrep", ["-P", "\(getpid())", "-x", "sh"]).run().status.isSuccess
    }

    @Test func `an ended child can be waited for by many and signalled without harm`() async throws
    {
        let null = try Descriptor.open("/dev/null", O_RDWR)
        let child = try ChildProcess.start(
            Command("sh", ["-c", "exit 4"]), descriptors: [(null, 0), (null, 1), (null, 2)])
        let statuses = await withTaskGroup(of: ExitStatus.self) { group in
            for _ in 0..<4 { group.addTask { await child.wait() } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses == Array(repeating: .exited(4), count: 4))
        child.signal(SIGKILL)
        child.signalGroup(SIGKILL)
        #expect(await child.wait() == .exited(4))
    }

    @Test func `what a conversing tool leaves behind ends with it`() async throws {
        let tool = try ConversingTool.start(
            Command("sh", ["-c", "sleep 600 & echo started; read line; echo $line; exit 5"]))
        async let said = tool.said()
        #expect(try await blocking { try tool.output.read(upTo: 100) } == Array("started\n".utf8))
        try tool.input.write(Array("hello\n".utf8)[...])
        let rest = try await blocking { try readAll(tool.output) }
        #expect(rest == Array("hello\n".utf8))
        #expect(await tool.child.wait() == .exited(5))
        #expect(try await said == "")
    }

    @Test func `a conversing tool can be joined at other numbers and read more`() async throws {
        let tool = try ConversingTool.start(
            Command("sh", ["-c", "cat <&5 >&4; cat <&3 >&4; echo message; cat"]),
            ends: .threeAndFour, extra: Array("extra ".utf8))
        async let said = tool.said()
        try tool.input.write(Array("input".utf8)[...])
        tool.input.close()
        #expect(try await blocking { try readAll(tool.output) } == Array("extra input".utf8))
        #expect(await tool.child.wait().isSuccess)
        #expect(try await said == "message\n")
    }

    @Test func `a closed descriptor stays closed and is closed once`() throws {
        let (read, write) = try Descriptor.pipe()
        write.close()
        write.close()
        #expect(try read.read(upTo: 1) == [])
        #expect(fcntl(read.number, F_GETFD) == FD_CLOEXEC)
    }

    @Test func `opening what is not there names the path and the reason`() {
        do {
            _ = try Descriptor.open("/nonexistent/file", O_RDONLY)
            Issue.record("no error")
        } catch {
            let message = (error as? GodwitError)?.message
            #expect(
                message == "the kernel did not open /nonexistent/file: No such file or directory")
        }
    }

    @Test func `a full device is an error of its own`() throws {
        let full = try Descriptor.open("/dev/full", O_WRONLY)
        #expect(throws: GodwitError(.noSpace, "")) { try full.write([1, 2, 3]) }
    }

    @Test func `a negative number is no descriptor`() async {
        await #expect(processExitsWith: .failure) { _ = Descriptor(taking: -1) }
    }
}

private func readAll(_ descriptor: Descriptor) throws -> [UInt8] {
    var all: [UInt8] = []
    while true {
        let bytes = try descriptor.read(upTo: 4_096)
        if bytes.isEmpty { return all }
        all += bytes
    }
}
