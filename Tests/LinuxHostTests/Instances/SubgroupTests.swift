import Foundation
import LinuxHost
import MigrationCore
import Testing

@Suite struct SubgroupTests {
    private typealias Group = Subgroups.Group

    private func decoded(_ groups: [Group], version: Int = 1) throws -> Subgroups {
        let bytes = try JSONEncoder().encode(Subgroups(version: version, groups: groups))
        return try Subgroups(decoding: Array(bytes))
    }

    @Test func `groups come back from their file as they were`() throws {
        let groups = [
            Group(
                hierarchy: "pids", path: "a/b", owner: 100_000, owners: ["tasks": 100_033],
                files: ["pids.max": "9"], members: [1, 7])
        ]
        #expect(try decoded(groups).groups == groups)
        #expect(try !decoded(groups).isEmpty && decoded([Group(hierarchy: "", path: "")]).isEmpty)
    }

    @Test func `owners go along where the instance's users have other numbers`() throws {
        let change = try #require(
            IDChange(
                from: IDMap(hostStart: 100_000, count: 100),
                to: IDMap(hostStart: 100_010, count: 100)))
        let group = Group(
            hierarchy: "pids", path: "a", owner: 100_000, owners: ["tasks": 100_099, "x": 0],
            files: ["pids.max": "9"], members: [1])
        let changed = try decoded([group]).changed(change).groups
        #expect(changed.map(\.owner) == [100_010])
        #expect(changed.map(\.owners) == [["tasks": 100_109, "x": 0]])
        #expect(changed.map(\.files) == [group.files] && changed.map(\.members) == [[1]])
    }

    @Test(arguments: ["..", "a/../../b", "/a", "a//b", "a/.", "a\0b"])
    func `a path that leads elsewhere is no group of an instance`(path: String) {
        #expect(throws: GodwitError(.badRequest, "")) {
            try decoded([Group(hierarchy: "pids", path: path)])
        }
    }

    @Test func `files that hold no limit are refused, and so are those of the other version`() {
        for name in ["devices.allow", "release_agent", "../pids.max", "cgroup.procs", "pids/max"] {
            #expect(throws: GodwitError(.badRequest, ""), "\(name)") {
                try decoded([Group(hierarchy: "pids", path: "a", files: [name: "1"])])
            }
        }
        #expect(throws: GodwitError(.badRequest, "")) {
            try decoded([Group(hierarchy: "", path: "a", files: ["memory.max": "1"])])
        }
        #expect(throws: GodwitError(.badRequest, "")) {
            try decoded([Group(hierarchy: "pids", path: "a", owners: ["../x": 0])])
        }
    }

    @Test func `more groups than the limit, or deeper ones, are refused`() throws {
        let many = (0...Limit.subgroups).map { Group(hierarchy: "pids", path: "g\($0)") }
        #expect(throws: GodwitError(.limitExceeded, "")) { try decoded(many) }
        #expect(try decoded(Array(many.dropLast())).groups.count == Limit.subgroups)
        let deep = Array(repeating: "d", count: Limit.subgroupDepth).joined(separator: "/")
        #expect(try decoded([Group(hierarchy: "pids", path: deep)]).groups.count == 1)
        #expect(throws: GodwitError(.badRequest, "")) {
            try decoded([Group(hierarchy: "pids", path: deep + "/d")])
        }
        #expect(throws: GodwitError(.badRequest, "")) { try Subgroups(decoding: [0x7b]) }
    }

    @Test func `a set of processors is cut to what the host has, or is all of that`() {
        #expect(Subgroups.numbers("0-3", within: "0-1") == "0,1")
        #expect(Subgroups.numbers("2-3", within: "0-1") == "0-1")
        #expect(Subgroups.numbers("0", within: "") == "0")
    }

    @Test func `hierarchies are named as instances see them, without devices and freezer`() {
        let mounts = CgroupMounts(
            mounts: """
                cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0
                cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0
                cgroup /sys/fs/cgroup/devices cgroup rw,devices 0 0
                cgroup /sys/fs/cgroup/freezer cgroup rw,freezer 0 0
                """)
        let found = mounts.divisible.map { "\($0.name) \($0.point)" }
        #expect(
            found == [
                "cpu /sys/fs/cgroup/cpu,cpuacct", "cpuacct /sys/fs/cgroup/cpu,cpuacct",
                "systemd /sys/fs/cgroup/systemd",
            ])
        let new = CgroupMounts(mounts: "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0")
        #expect(new.divisible.map { $0.name + $0.point } == ["/sys/fs/cgroup"])
    }
}

/// On ordinary directories in place of a hierarchy of version 2: its files are those that a test
/// makes.
@Suite(.enabled(if: getuid() == 0)) struct HostSubgroupDirectoryTests {
    private func withRoot(_ body: (String, Cgroup) async throws -> Void) async throws {
        let root = FileManager.default.temporaryDirectory.path + "/godwit-groups-\(UUID())"
        defer { try? SmallFile.remove(root) }
        try SmallFile.makeDirectory(root + "/web")
        let mounts = CgroupMounts(mounts: "cgroup2 \(root) cgroup2 rw 0 0")
        try await body(root + "/web", Cgroup(path: "/web", mounts: mounts))
    }

    private func put(_ files: [String: String], at directory: String) throws {
        try SmallFile.makeDirectory(directory)
        for (name, text) in files {
            try SmallFile.replace("\(directory)/\(name)", with: Array(text.utf8))
        }
    }

    @Test func `groups of version 2 are made first and limited once all are in them`() async throws
    {
        var found: Subgroups?
        try await withRoot { own, group in
            try put(["cgroup.subtree_control": "memory pids", "cgroup.procs": ""], at: own)
            let files = ["cgroup.procs": "\(getpid())\n", "pids.max": "9\n", "memory.max": "max\n"]
            try put(files, at: own + "/a")
            let disks = "default 50\n8:0 70\n"
            try put(["cgroup.procs": "", "pids.max": "7\n", "io.weight": disks], at: own + "/a/b")
            found = try group.subgroups()
        }
        let subgroups = try #require(found)
        #expect(subgroups.groups.map(\.path) == ["", "a", "a/b"])
        #expect(subgroups.groups[0].files == ["cgroup.subtree_control": "memory pids"])
        #expect(subgroups.groups[1].files == ["pids.max": "9", "memory.max": "max"])
        #expect(subgroups.groups[2].files == ["pids.max": "7", "io.weight": "default 50"])
        // This process is of no instance.
        #expect(subgroups.groups[1].members.isEmpty)
        try await withRoot { own, group in
            try put(["cgroup.subtree_control": "", "cgroup.procs": ""], at: own)
            try group.make(subgroups, owners: 5...9)
            #expect(SmallFile.exists(own + "/a/b"))
            #expect(SmallFile.word(own + "/cgroup.subtree_control") == "+memory +pids")
            try put(["pids.max": "max", "memory.max": "max"], at: own + "/a")
            #expect(SmallFile.word(own + "/a/pids.max") == "max")
            try group.fill(subgroups)
            #expect(SmallFile.word(own + "/a/pids.max") == "9")
            await group.removeBirthplace()
            let names = try FileManager.default.contentsOfDirectory(atPath: own)
            #expect(names.sorted() == ["a", "cgroup.procs", "cgroup.subtree_control"])
        }
    }

    @Test func `who is in a group of version 2 leaves it before it passes controllers on`()
        async throws
    {
        let birthplace = "/godwit-restore/cgroup.procs"
        let inner = Subgroups.Group(hierarchy: "", path: "a")
        try await withRoot { own, group in
            try put(["cgroup.subtree_control": "", "cgroup.procs": "\(getpid())\n"], at: own)
            let keeping = Subgroups.Group(hierarchy: "", path: "")
            try group.make(Subgroups(version: 2, groups: [keeping, inner]), owners: nil)
            #expect(!SmallFile.exists(own + birthplace))
            try put(["cgroup.procs": ""], at: own + "/godwit-restore")
            let passing = Subgroups.Group(
                hierarchy: "", path: "", files: ["cgroup.subtree_control": "pids"])
            try group.make(Subgroups(version: 2, groups: [passing, inner]), owners: nil)
            #expect(SmallFile.word(own + birthplace) == "\(getpid())")
            #expect(SmallFile.word(own + "/cgroup.subtree_control") == "+pids")
        }
    }

    @Test func `groups belong to who had them, if that is one of the instance's users`()
        async throws
    {
        let groups = [
            Subgroups.Group(hierarchy: "", path: "a", owner: 4_711, owners: ["pids.max": 4_712]),
            Subgroups.Group(hierarchy: "", path: "b", owner: 9),
        ]
        try await withRoot { own, group in
            // The kernel makes them for the host's root.
            for name in ["a", "b"] {
                try put(["pids.max": "max", "pids.peak": "0"], at: "\(own)/\(name)")
            }
            try group.make(Subgroups(version: 2, groups: groups), owners: 4_000...5_000)
            func owner(_ path: String) throws -> UInt32? { try FileStatus.of(own + path)?.user }
            #expect(try owner("/a") == 4_711 && owner("/a/pids.peak") == 4_711)
            #expect(try owner("/a/pids.max") == 4_712)
            #expect(try owner("/b") == 0 && owner("/b/pids.max") == 0)
        }
    }

    @Test func `threaded groups and groups of another version are refused`() async throws {
        try await withRoot { own, group in
            try put(["cgroup.type": "threaded\n", "cgroup.procs": ""], at: own + "/a")
            #expect(throws: GodwitError(.checkpointFailed, "")) { try group.subgroups() }
            let old = Subgroups(version: 1, groups: [.init(hierarchy: "pids", path: "a")])
            #expect(throws: GodwitError(.restoreFailed, "")) { try group.make(old, owners: nil) }
        }
    }

    @Test func `directories in a tree are made unless a link leads elsewhere`() async throws {
        try await withRoot { own, _ in
            let files = try RootedFiles(own)
            try files.makeDirectories(["sys", "fs"], owner: 4_711)
            try files.makeDirectories(["sys", "fs"], owner: 1)
            #expect(try FileStatus.of(own + "/sys/fs")?.user == 4_711)
            try FileManager.default.createSymbolicLink(
                atPath: own + "/link", withDestinationPath: "/tmp")
            #expect(throws: GodwitError(.badRequest, "")) {
                try files.makeDirectories(["link", "godwit-must-not-be"], owner: 0)
            }
            #expect(!SmallFile.exists("/tmp/godwit-must-not-be"))
        }
    }
}
