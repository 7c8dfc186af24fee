import Foundation
import Instances
import LinuxHost
import MigrationCore
import Testing

/// A host for OCI instances on this machine, apart from any other: directories, control groups and
/// interface names of its own.
struct TestHost: Sendable {
    static let idMap = IDMap(hostStart: 300_000, count: 65_536)
    /// Root, and the tools that the tests of this folder start.
    static let isPossible =
        getuid() == 0 && SmallFile.exists("/usr/local/libexec/godwit/criu")
        && SmallFile.exists("/bin/busybox") && SmallFile.exists(executable)

    let label: String
    let driver: OCIDriver
    /// In memory, as on a real host.
    let runDirectory: String
    let directory: String

    init() {
        label = "gwt\(String(UInt32.random(in: .min ... .max), radix: 16))"
        runDirectory = "/dev/shm/\(label)"
        directory = "/tmp/\(label)"
        let configuration = OCIConfiguration(
            runDirectory: runDirectory, stateDirectory: "\(directory)/state",
            cgroupParent: label, executable: Self.executable)
        driver = OCIDriver(configuration) { _ in [] }
    }

    /// Gives the body a host and removes all of it afterwards.
    static func with(_ body: (TestHost) async throws -> Void) async throws {
        let host = TestHost()
        do {
            try await body(host)
        } catch {
            await host.removeAll()
            throw error
        }
        await host.removeAll()
    }

    var root: String { "\(directory)/root" }

    func definition(
        _ script: String, idMap: IDMap? = TestHost.idMap, interfaces: [InterfaceDefinition] = []
    ) throws -> InstanceDefinition {
        InstanceDefinition(
            name: try InstanceName("witness"),
            process: ProcessDefinition(command: ["/bin/sh", "-c", script]),
            limits: ResourceLimits(memory: .mebibytes(128), cpuMillis: 1000, processes: 64),
            idMap: idMap, interfaces: interfaces, created: Timestamp(milliseconds: 0))
    }

    /// A root filesystem with busybox in it.
    func makeRoot(idMap: IDMap? = TestHost.idMap) async throws {
        for name in ["bin", "proc", "sys", "dev", "tmp", "etc"] {
            try FileManager.default.createDirectory(
                atPath: "\(root)/\(name)", withIntermediateDirectories: true)
        }
        try await Command("cp", ["/bin/busybox", "\(root)/bin/"]).check()
        for applet in ["sh", "sleep", "echo", "cat", "nc", "ps", "true", "id", "ip", "unshare"] {
            try FileManager.default.createSymbolicLink(
                atPath: "\(root)/bin/\(applet)", withDestinationPath: "busybox")
        }
        let owner = idMap?.hostStart ?? 0
        try await Command("chown", ["-R", "-h", "\(owner):\(owner)", root]).check()
        // The user namespace's root must be able to reach its own root directory.
        try await Command("chmod", ["755", directory]).check()
    }

    func copyRoot(of other: TestHost) async throws {
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        try await Command("cp", ["-a", other.root, root]).check()
        try await Command("chmod", ["755", directory]).check()
    }

    func log(_ definition: InstanceDefinition) async throws -> [Substring] {
        let text = String(
            decoding: try await driver.log(definition, limit: .mebibytes(1)), as: UTF8.self)
        return text.split(separator: "\n")
    }

    /// Waits until the log has more lines than `count`.
    func waitForLog(_ definition: InstanceDefinition, longerThan count: Int) async throws {
        for _ in 0..<2000 {
            if try await log(definition).count > count { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("the log did not grow beyond \(count) lines: \(try await log(definition))")
    }

    /// Everything that the host's instances have left on this machine, which should be nothing.
    func leftovers(_ definition: InstanceDefinition) throws -> [String] {
        let name = definition.name.text
        var found: [String] = []
        let groups = try CgroupMounts.current().directories(of: "/\(label)/\(name)")
        found += groups.filter(SmallFile.exists)
        let paths = ["\(runDirectory)/instances/\(name)", "\(runDirectory)/runc/\(name)"]
        found += paths.filter(SmallFile.exists)
        let mounts = try SmallFile.text("/proc/self/mounts").split(separator: "\n")
        found += mounts.filter { $0.contains(label) }.map(String.init)
        for interface in definition.interfaces {
            let end = HostEnd(
                scope: label, instance: definition.name, interface: interface.name)
            if end.exists { found.append(end.name) }
        }
        for process in ProcessTable.all() where process.state != "Z" {
            let line = SmallFile.word("/proc/\(process.pid)/cmdline") ?? ""
            if line.contains(runDirectory) { found.append(line) }
        }
        return found
    }

    private func removeAll() async {
        if let definition = try? definition("true") { try? await driver.remove(definition) }
        for group in (try? CgroupMounts.current().directories(of: "/\(label)")) ?? [] {
            _ = unsafe rmdir(group)
        }
        try? SmallFile.remove(runDirectory)
        try? SmallFile.remove(directory)
    }

    /// The program that this build made, beside the test's own.
    private static let executable: String = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        let beside = (CommandLine.arguments.first ?? own ?? "")
        let candidates = [beside, own ?? ""].map {
            URL(fileURLWithPath: $0).deletingLastPathComponent().path + "/godwit"
        }
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return (candidates + [source.path + "/.build/release/godwit"])
            .first(where: SmallFile.exists) ?? "godwit"
    }()
}

/// Collects what a command inside an instance wrote.
actor Collected {
    private(set) var bytes: [UInt8] = []
    func add(_ more: [UInt8]) { bytes += more }
    var text: String { String(decoding: bytes, as: UTF8.self) }
}

extension TestHost {
    /// Runs a shell command inside, with the given input.
    func shell(
        _ script: String, input: String = "", in definition: InstanceDefinition
    ) async throws -> (status: Int32, output: String, errors: String) {
        let output = Collected()
        let errors = Collected()
        let chunks = AsyncStream { continuation in
            if !input.isEmpty { continuation.yield(Array(input.utf8)) }
            continuation.finish()
        }
        let request = ExecuteRequest(
            command: ["/bin/sh", "-c", script], environment: ["PATH=/bin", "GREETING=hello"],
            input: chunks, output: { await output.add($0) }, errorOutput: { await errors.add($0) })
        let status = try await driver.execute(request, in: definition)
        return (status, await output.text, await errors.text)
    }
}
