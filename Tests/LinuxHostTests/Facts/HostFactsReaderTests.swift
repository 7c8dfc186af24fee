import Foundation
import LinuxHost
import MigrationCore
import Testing

@Suite struct HostFactsReaderTests {
    @Test func `what is given is carried, what is missing is no error`() async throws {
        let reader = HostFactsReader(
            criu: "/nowhere/criu", runtimes: ["/nowhere/runc"], rsync: "no-such-rsync",
            idRange: IDMap(hostStart: 5, count: 6))
        let pool = PoolFacts(name: "p", driver: "d", filesystem: "f", available: .mebibytes(1))
        let facts = try await reader.facts(
            pools: [pool], instanceNames: ["a"], instanceAddresses: ["192.0.2.7"], for: nil)
        #expect(facts.criu == nil && facts.runtimes.isEmpty && facts.rsync == nil)
        #expect(facts.pools == [pool] && facts.instanceNames == ["a"])
        #expect(facts.addressesInUse.contains("192.0.2.7"))
        #expect(facts.idRange == IDMap(hostStart: 5, count: 6))
    }

    @Test func `the kernel's facts are those of this host`() async throws {
        let facts = try await HostFactsReader().facts(
            pools: [], instanceNames: [], instanceAddresses: [], for: nil)
        #expect(facts.hostname == ProcessInfo.processInfo.hostName || !facts.hostname.isEmpty)
        #expect(facts.kernel > Version(4))
        #expect(facts.kernelFeatures.contains(KernelFeature.pidNamespace.rawValue))
        #expect(facts.processorFeatures.count > 5)
        #expect(facts.filesystems.contains("proc"))
        #expect(facts.memoryAvailable > .mebibytes(1))
        #expect(facts.pipeLimit >= .kibibytes(4))
        #expect(abs(Double(facts.clock.milliseconds) / 1_000 - Date().timeIntervalSince1970) < 60)
        #expect((0...2).contains(facts.cgroup.version))
    }

    @Test func `of the offered mounts the paths that exist are named`() async throws {
        let definition = InstanceDefinition(
            name: try InstanceName("a"), process: ProcessDefinition(command: ["x"]), idMap: nil,
            mounts: ["/proc", "/nowhere/at/all"].map {
                MountDefinition(hostPath: $0, path: "/m", isReadOnly: true)
            },
            created: Timestamp(milliseconds: 0))
        let reader = HostFactsReader(criu: "/nowhere", runtimes: [], rsync: "/nowhere")
        let facts = try await reader.facts(
            pools: [], instanceNames: [], instanceAddresses: [], for: definition)
        #expect(facts.mountablePaths == ["/proc"])
    }

    @Test func `a tool is asked once, and again when its file is another`() async throws {
        let tool = try ScriptedTool(version: "1.2.3")
        defer { tool.remove() }
        let reader = HostFactsReader(criu: "/nowhere", runtimes: [tool.path], rsync: "/nowhere")
        let versions = { () async throws -> [Version] in
            try await reader.facts(
                pools: [], instanceNames: [], instanceAddresses: [], for: nil
            ).runtimes.map(\.version)
        }
        #expect(try await versions() == [Version(1, 2, 3)])
        let asked = try tool.timesAsked()
        #expect(try await versions() == [Version(1, 2, 3)])
        #expect(try tool.timesAsked() == asked && asked == 2)
        try tool.write(version: "1.2.40")
        #expect(try await versions() == [Version(1, 2, 40)])
        tool.remove()
        #expect(try await versions() == [])
    }

    @Test func `a tool that never answers is killed and missing`() async {
        let result = await answer(to: Command("sleep", ["600"]), within: .milliseconds(50))
        #expect(result == nil)
    }

    @Test func `addresses have a prefix length and are not those of the loop`() {
        for address in hostAddresses() {
            #expect(address.interface != "lo")
            #expect((0...128).contains(address.prefixLength))
            #expect(NetworkAddress(address.text) != nil)
        }
    }
}

/// A runtime of three lines that counts how often it is asked.
private struct ScriptedTool {
    let folder: URL
    var path: String { folder.appending(path: "tool").path }

    init(version: String) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "hchk-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try write(version: version)
    }

    func write(version: String) throws {
        let script = "#!/bin/sh\necho x >> '\(folder.path)/asked'\necho tool version \(version)\n"
        try Data(script.utf8).write(to: folder.appending(path: "tool"), options: .atomic)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }

    func timesAsked() throws -> Int {
        try String(contentsOf: folder.appending(path: "asked"), encoding: .utf8)
            .split(separator: "\n").count
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }
}
