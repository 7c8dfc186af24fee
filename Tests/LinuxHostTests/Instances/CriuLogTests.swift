import LinuxHost
import Testing

@Suite struct CriuLogTests {
    @Test func `the first error is the cause, harmless ones are passed over`() {
        let log = CriuLog(
            """
            (00.000201) sockets: Probing sock diag modules
            (00.046743) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: EPERM
            (00.072058) Error (criu/files-ext.c:95): Something new
            (00.072085) Error (criu/cr-dump.c:1545): Dump files (pid: 17639) failed with -1
            """)
        #expect(log?.cause == "Something new")
        #expect(log?.remedy.contains("criu.org") == true)
    }

    @Test(arguments: [
        (
            "(00.1) Error (criu/files-reg.c:1790): Can't lookup mount=27 for fd=1 path=/tmp/f",
            "outside the instance's own mounts"
        ),
        (
            "(00.2)      1: Error (criu/files-reg.c:2254): File data has bad size 3 (expect 8)",
            "freeze the volume"
        ),
        ("(00.3) Error (criu/sockets.c:628): sockets: Can't get 1:16 opt: no", "CRIU 4.2"),
        (
            "(00.4) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp",
            "--tcp=keep"
        ),
        ("(00.5) Error (criu/tty.c:2247): tty: Unable to find a master for /4", "terminal"),
        ("(00.6) Error (criu/proc_parse.c:1): Unsupported io_uring mapping", "io_uring"),
        (
            "(00.7) Error (criu/files-reg.c:1): Can't dump ghost file /a of 9 size, increase limit",
            "ghost-limit"
        ),
        (
            "(00.8) Error (criu/sk-unix.c:1): unix: External socket is used. "
                + "Consider --ext-unix-sk",
            "Unix sockets"
        ),
    ])
    func `a known cause has its own remedy, wherever it stands`(line: String, remedy: String) {
        let text = "(00.0) Error (criu/a.c:1): something before\n\(line)\n(01) Error (x:1): after\n"
        let log = CriuLog(text)
        #expect(log?.remedy.contains(remedy) == true, "\(String(describing: log))")
        #expect(log.map { line.hasSuffix($0.cause) } == true)
    }

    @Test(arguments: ["", "Error (", "Error (criu/x.c:1): ", "Warn  (criu/x.c:1): no error\n"])
    func `a log without an error is none`(text: String) {
        #expect(CriuLog(text) == nil || text.hasSuffix("): "))
    }

    @Test func `statistics of a dump and of a restore are read`() {
        let dump: [UInt8] = [
            0x40, 0x59, 0x10, 0x55, 0x06, 0x33, 0x09, 0x57, 0x23, 0, 0, 0,
            0x0a, 0x21, 0x08, 0xd7, 0x07, 0x10, 0xf0, 0xe4, 0x05, 0x18, 0xeb, 0x16, 0x20, 0x8f,
            0x03,
            0x28, 0x48, 0x30, 0x00, 0x38, 0x32, 0x40, 0x00, 0x48, 0x00, 0x50, 0x0c, 0x58, 0x0c,
            0x60, 0x00, 0x68, 0x00, 0x70, 0x00,
        ]
        let figures = CriuStatistics.parse(dump)
        #expect(figures["criu_freezing_ms"] == 0.983)
        #expect(figures["pages_scanned"] == 72 && figures["pages_written"] == 50)
        let restore: [UInt8] = [
            0x40, 0x59, 0x10, 0x55, 0x06, 0x33, 0x09, 0x57, 0x0f, 0, 0, 0,
            0x12, 0x0d, 0x08, 0x12, 0x10, 0x04, 0x18, 0x83, 0x1c, 0x20, 0x87, 0xf1, 0x05, 0x28,
            0x2e,
        ]
        #expect(CriuStatistics.parse(restore)["pages_restored"] == 46)
        for length in 0..<dump.count { _ = CriuStatistics.parse(Array(dump.prefix(length))) }
        #expect(CriuStatistics.parse(Array(dump.dropFirst())) == [:])
    }
}
