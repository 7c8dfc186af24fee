import Foundation
import LinuxHost
import MigrationCore
import Testing

/// Real processes that hold what CRIU cannot dump. They need root.
@Suite(.enabled(if: geteuid() == 0)) struct HostObstacleTests {
    @Test(
        arguments: [
            "pass",
            "os.memfd_create('m'); os.pipe(); os.openpty()",
            "os.open('/dev/null', 0); os.open('/dev/urandom', 0); os.open('/etc/passwd', 0)",
            "import select; e = select.epoll(); os.eventfd(0); os.pidfd_open(os.getpid())",
            "s = [socket.socket(*a) for a in [(2,1), (2,2), (10,1), (1,1), (1,2), (16,3), (17,3)]]",
            "d = os.open('/tmp', 0); import fcntl; f = open('/etc/passwd'); fcntl.flock(f, 2)",
            "import mmap; m = mmap.mmap(-1, 4096)",
        ])
    func `what CRIU dumps is no obstacle`(body: String) async throws {
        #expect(try await obstacles(body) == [])
    }

    @Test(
        arguments: [
            ("call(425, 4, (ctypes.c_char * 256)())", ObstacleKind.ioUring, "[io_uring]"),
            ("call(323, 1)", .userfaultfd, "[userfaultfd]"),
            ("call(298, perf(), 0, -1, -1, 0)", .performanceEvent, "[perf_event]"),
            ("call(321, 0, bpf_map(2), 128)", .bpf, "bpf-map"),
            ("os.open('/dev/fuse', os.O_RDWR)", .openDevice, "/dev/fuse"),
            ("s = socket.socket(40, 1)", .socketFamily, "AF_VSOCK"),
            ("s = socket.socket(2, 1, 262)", .socketFamily, "MPTCP"),
        ])
    func `what CRIU cannot dump is found`(
        body: String, kind: ObstacleKind, word: String
    ) async throws {
        guard let found = try await obstacles(body, optional: true) else { return }
        #expect(found.map(\.kind) == [kind.rawValue])
        #expect(found.first?.detail.contains(word) == true)
        #expect(found.first?.process.hasPrefix("python3") == true)
    }

    @Test func `a mapping is found after its descriptor is closed`() async throws {
        let body = """
            p = (ctypes.c_char * 256)(); f = call(425, 4, p)
            import mmap; m = mmap.mmap(f, 4096, offset=0); os.close(f)
            """
        guard let found = try await obstacles(body, optional: true) else { return }
        #expect(found.map(\.kind).contains(ObstacleKind.ioUring.rawValue))
    }

    @Test func `a file from outside of the mounts is a leak`() async throws {
        let found = try await obstacles("f = os.open('/etc/passwd', 0); unshare(0x20000)")
        #expect(found?.map(\.kind) == [ObstacleKind.leakedDescriptor.rawValue])
        #expect(found?.first?.detail.contains("/etc/passwd") == true)
    }

    @Test func `a large deleted file is one only above the limit`() async throws {
        let body = """
            import tempfile; f = tempfile.TemporaryFile(); f.write(os.urandom(2 << 20)); f.flush()
            """
        #expect(
            try await obstacles(body, ghostLimit: .mebibytes(1))?.map(\.kind)
                == [ObstacleKind.deletedFile.rawValue])
        #expect(try await obstacles(body) == [])
    }

    @Test func `a traced process is found`() async throws {
        let body = """
            c = os.fork()
            if c == 0: libc.ptrace(0, 0, 0, 0); os.kill(os.getpid(), 19); os._exit(0)
            os.waitpid(c, os.WUNTRACED)
            """
        let kinds = try await obstacles(body)?.map(\.kind)
        #expect(kinds == [ObstacleKind.traced.rawValue])
    }

    @Test func `a process that a signal stopped is found where that matters`() async throws {
        let body = """
            c = os.fork()
            if c == 0: os.kill(os.getpid(), 19); os._exit(0)
            os.waitpid(c, os.WUNTRACED)
            """
        let kinds = try await obstacles(body)?.map(\.kind)
        let isOld = try CgroupMounts.current().version == 1
        #expect(kinds == (isOld ? [ObstacleKind.stopped.rawValue] : []))
    }

    @Test(arguments: [(0x0400_0000, "uts"), (0x0800_0000, "ipc"), (0x1000_0000, "user")])
    func `a namespace of a child's own is found`(flag: Int, name: String) async throws {
        let found = try await obstacles(
            """
            r, w = os.pipe(); c = os.fork()
            if c == 0: unshare(\(flag)); os.write(w, b'x'); sys.stdin.read(); os._exit(0)
            os.read(r, 1)
            """)
        #expect(found?.map(\.kind) == [ObstacleKind.childNamespace.rawValue])
        #expect(found?.first?.detail == "is in a \(name) namespace of its own")
    }

    @Test func `nested mount and network namespaces are dumped`() async throws {
        let found = try await obstacles(
            """
            r, w = os.pipe(); c = os.fork()
            if c == 0: unshare(0x40020000); os.write(w, b'x'); sys.stdin.read(); os._exit(0)
            os.read(r, 1)
            """)
        #expect(found == [])
    }

    @Test func `a first process needs a session of its own`() async throws {
        let namespace = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        let outside = try await obstacles("pass", through: namespace)
        #expect(outside?.map(\.kind) == [ObstacleKind.outsideSession.rawValue])
        #expect(try await obstacles("os.setsid()", through: namespace) == [])
    }

    @Test func `who entered from outside would be left behind`() async throws {
        let namespace = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        let first = try await Subject.start("os.setsid()", through: namespace)
        let entry = ["nsenter", "--target", "\(first.pids[0])", "--pid", "--mount"]
        let second = try await Subject.start("os.setsid()", through: entry)
        let found = ObstacleScan.obstacles(of: first.pids + second.pids)
        await second.end()
        await first.end()
        #expect(found.map(\.kind) == [ObstacleKind.outsideProcess.rawValue])
    }

    @Test func `of one kind a process shows four`() async throws {
        let body = "for _ in range(20): os.open('/dev/fuse', os.O_RDWR)"
        #expect(try await obstacles(body)?.count == 4)
    }

    @Test func `who is gone is passed over`() {
        #expect(ObstacleScan.obstacles(of: [.max, 0, -1]) == [])
        #expect(ObstacleScan.obstacles(of: []) == [])
    }
}

/// What is found in a Python process, and its children, that has run `body`; nil where the kernel
/// lacks what the body asks for and `optional` allows that.
private func obstacles(
    _ body: String, through wrapper: [String] = [], optional: Bool = false,
    ghostLimit: ByteCount = ObstacleScan.ghostLimit
) async throws -> [Obstacle]? {
    guard let subject = try await Subject.start(body, through: wrapper, optional: optional) else {
        return nil
    }
    let found = ObstacleScan.obstacles(of: subject.pids, ghostLimit: ghostLimit)
    await subject.end()
    return found
}

/// A Python process that waits, with all it holds, until it is ended.
private struct Subject {
    let child: ChildProcess
    let input: Descriptor
    /// The Python process and its children, without the wrapper.
    let pids: [Int32]

    static func start(_ body: String, through wrapper: [String]) async throws -> Subject {
        try #require(await start(body, through: wrapper, optional: false))
    }

    static func start(
        _ body: String, through wrapper: [String], optional: Bool
    ) async throws -> Subject? {
        let (inputRead, inputWrite) = try Descriptor.pipe()
        let (outputRead, outputWrite) = try Descriptor.pipe()
        let words = wrapper + ["python3", "-I", "-c", script(body)]
        let child = try ChildProcess.start(
            Command(words[0], Array(words.dropFirst())),
            descriptors: [(inputRead, 0), (outputWrite, 1), (outputWrite, 2)])
        outputWrite.close()
        let said = try await blocking {
            String(decoding: try outputRead.read(upTo: 4096), as: UTF8.self)
        }
        let family = descendants(of: child.pid)
        let pids = wrapper.isEmpty ? family : Array(family.dropFirst())
        let subject = Subject(child: child, input: inputWrite, pids: pids)
        if said == "ready\n" { return subject }
        await subject.end()
        if optional, said.contains("OSError") { return nil }
        Issue.record("the subject said \(said)")
        return nil
    }

    func end() async {
        input.close()
        for pid in pids { kill(pid, SIGKILL) }
        child.signal(SIGKILL)
        _ = await child.wait()
    }

    private static func script(_ body: String) -> String {
        """
        import ctypes, os, socket, struct, sys
        libc = ctypes.CDLL(None, use_errno=True)
        def call(*words):
            result = libc.syscall(*words)
            if result < 0: raise OSError(ctypes.get_errno())
            return result
        def unshare(flags):
            if libc.unshare(flags): sys.exit(f'unshare: {os.strerror(ctypes.get_errno())}')
        def bpf_map(kind): return struct.pack('IIIII', kind, 4, 4, 1, 0) + bytes(108)
        def perf(): return struct.pack('II', 1, 128) + bytes(120)
        \(body)
        os.write(1, b'ready\\n')
        sys.stdin.read()
        """
    }
}

/// A process and all below it, parents first. `/proc/PID/task/TID/children` may leave some out
/// (proc(5)).
private func descendants(of pid: Int32) -> [Int32] {
    let all = ProcessTable.all()
    func family(_ pid: Int32) -> [Int32] {
        [pid] + all.filter { $0.parent == pid }.map(\.pid).flatMap(family)
    }
    return family(pid)
}
