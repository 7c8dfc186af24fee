import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// What cannot work is refused before anything freezes, with its cause and its cure.
@Suite(.timeLimit(.minutes(4))) struct HostRefusalTests {
    /// The move is refused with `words` in its text, and the container has not noticed.
    private func expectRefusal(_ moving: MoveLab, _ words: String...) async throws {
        let clean = moving.lab.inventory(of: "b")
        let refusal = try await moving.move()
        #expect(refusal.status == .exited(2), "\(refusal.text) \(refusal.errorText)")
        #expect(refusal.errorText.contains("→"), "a cure is missing: \(refusal.errorText)")
        for word in words { #expect(refusal.errorText.contains(word), "\(refusal.errorText)") }
        let report = try #require(try await moving.report("a"))
        #expect(report.phase <= .prepare || report.phases.allSatisfy { $0.phase != .perform })
        #expect(report.downtime.isEmpty)
        let left = try await moving.leftOnTarget(since: clean)
        #expect(left == [])
    }

    private func expectCounting(_ moving: MoveLab) async throws {
        try await moving.whole(on: "a", after: moving.lines("a").count)
    }

    @Test func `a missing bridge and a taken name are refused together`() async throws {
        try await MoveLab.with { moving in
            let bridge = ["ip", "link", "add", "only-here", "type", "bridge"]
            try await moving.lab.host("a").check(bridge)
            try await moving.launch(["--address", "10.9.0.5/24", "--bridge", "only-here"])
            let root = try await RootFilesystem.tiny.path()
            try await moving.lab.check("b", ["launch", root, "web", "--no-start"])
            let refusal = try await moving.move()
            #expect(refusal.status == .exited(2))
            #expect(refusal.errorText.contains("only-here") && refusal.errorText.contains("→"))
            #expect(refusal.errorText.contains("name"))
            try await expectCounting(moving)
        }
    }

    @Test func `a target whose pool is full is refused`() async throws {
        let pools = ["a": ["--pool", "small=/run/small-a"], "b": ["--pool", "small=/run/small"]]
        try await MoveLab.with(daemonWords: pools) { lab in
            let small = "mkdir -p /run/small && mount -t tmpfs -o size=24m tmpfs /run/small"
            try await lab.host("b").check(["sh", "-c", small])
            let large = "mkdir -p /run/small-a && mount -t tmpfs tmpfs /run/small-a"
            try await lab.host("a").check(["sh", "-c", large])
        } _: { moving in
            try await moving.launch(["--pool", "small"])
            try await expectRefusal(moving, "small", "free")
            try await expectCounting(moving)
        }
    }

    @Test func `a target without CRIU is refused`() async throws {
        try await MoveLab.with(daemonWords: ["b": ["--criu", "/nowhere/criu"]]) { moving in
            try await moving.launch()
            try await expectRefusal(moving, "CRIU")
            try await expectCounting(moving)
        }
    }

    @Test func `an instance that uses io_uring is refused`() async throws {
        try await MoveLab.with { moving in
            let folder = FileManager.default.temporaryDirectory.path + "/godwit-ring-\(getpid())"
            defer { try? FileManager.default.removeItem(atPath: folder) }
            try await build(Self.ring, at: "\(folder)/ring")
            let tiny = try await RootFilesystem.tiny.path()
            _ = try await Command("cp", ["-a", tiny, "\(folder)/root"]).check()
            _ = try await Command("cp", ["\(folder)/ring", "\(folder)/root/ring"]).check()
            try await moving.lab.check("a", ["launch", "\(folder)/root", "web", "--", "/ring"])
            try await eventually("the ring is there") {
                try await moving.lab.godwit("a", ["logs", "web"]).text.contains("ring")
            }
            try await expectRefusal(moving, "io_uring")
            #expect(try await moving.runs(on: "a"))
        }
    }

    private func build(_ program: String, at path: String) async throws {
        let folder = path.split(separator: "/").dropLast().joined(separator: "/")
        try FileManager.default.createDirectory(
            atPath: "/\(folder)", withIntermediateDirectories: true)
        try Data(program.utf8).write(to: URL(filePath: path + ".c"))
        _ = try await Command("gcc", ["-static", "-o", path, path + ".c"]).check()
    }

    private static let ring = """
        #include <stdio.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        int main(void) {
            char parameters[120] = {0};
            long ring = syscall(425, 4, parameters);
            puts(ring < 0 ? "nothing" : "ring");
            fflush(stdout);
            for (;;) pause();
        }
        """
}
