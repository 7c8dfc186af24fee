import TestSupport
import Testing
import lab

/// How two looks at a host are compared.
@Suite struct HostListsTests {
    private let before = HostLists([
        "mounts": ["/proc", "/run"], "processes": ["keeper 12345", "keeper 12346"],
        "interfaces": ["gwbr0"],
    ])

    @Test func `equal but for the numbers that the kernel gives is equal`() {
        let after = HostLists([
            "mounts": ["/run", "/proc"], "processes": ["keeper 99999", "keeper 123456"],
            "interfaces": ["gwbr0"],
        ])
        #expect(after.differences(since: before, host: "a") == [])
    }

    @Test func `each list that differs is named with its lines`() {
        let after = HostLists([
            "mounts": ["/proc", "/run", "/run"], "processes": ["keeper 12345"],
            "interfaces": ["gwbr0"], "rules": ["table ip godwit"],
        ])
        let differences = after.differences(since: before, host: "a")
        #expect(
            differences == [
                .init(host: "a", list: "mounts", come: ["/run"], gone: []),
                .init(host: "a", list: "processes", come: [], gone: ["keeper #"]),
                .init(host: "a", list: "rules", come: ["table ip godwit"], gone: []),
            ])
        #expect(differences.first?.text == "host a, mounts:\n  + /run")
    }

    @Test(arguments: [
        ("10.77.0.10 dev gwbr0", "10.77.0.10 dev gwbr0"), ("port 7443", "port 7443"),
        ("02:67:77:00:00:01", "02:67:77:00:00:01"), ("fd77::10/64", "fd77::10/64"),
        ("link 0191f3a2-7b1c-7000-8000-00805f9b34fb.log", "link #.log"), ("pid 123456", "pid #"),
        ("/run/godwit/instances/web", "/run/godwit/instances/web"), ("cafe", "cafe"),
    ])
    func `addresses and names stay, numbers of the kernel's do not`(line: String, kept: String) {
        #expect(HostLists(["x": [line]]).lists["x"] == [kept])
    }

    @Test func `a report without differences says so`() {
        var report = LeakReport()
        report.moves = 4
        report.aborted = ["restore failed": 1, "cancelled in prepare": 2]
        report.lines = ["a": ["mounts": 3, "files": 4], "b": ["mounts": 2]]
        #expect(
            report.text
                == "4 moves and 3 aborted ones (2 × cancelled in prepare, 1 × restore failed), "
                + "0 more that could not be met in time\n"
                + "Nothing is left: 9 lines in 3 lists are as they were.")
        report.differences = [.init(host: "b", list: "mounts", come: ["/x"], gone: [])]
        #expect(report.text.hasSuffix("\nhost b, mounts:\n  + /x"))
    }
}
