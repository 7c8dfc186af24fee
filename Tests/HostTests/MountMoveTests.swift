import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Paths of the hosts that containers mount, when these move: shared, remapped, left out, refused.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(4)))
struct HostMountMoveTests {
    /// A directory that both hosts of the lab see, as one of a server of files.
    private func withShared(
        _ body: (MoveLab, String) async throws -> Void
    ) async throws {
        let path = "/var/tmp/godwit-shared-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o755])
        defer { try? FileManager.default.removeItem(atPath: path) }
        try FileManager.default.createDirectory(
            atPath: path + "/data", withIntermediateDirectories: true)
        // Whoever root is in the container.
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o777], ofItemAtPath: path + "/data")
        try await MoveLab.with { try await body($0, path + "/data") }
    }

    private func mount(_ path: String, at place: String, on host: LabNode) async throws {
        let script = "mkdir -p \"$2\" && mount --bind \"$1\" \"$2\""
        try await host.check(["sh", "-c", script, "sh", path, place])
    }

    @Test func `a path that both hosts have is shared, with files open and mapped`() async throws {
        try await withShared { moving, shared in
            let lab = moving.lab
            try await withRoot(MappedProgram.makeRoot) { root in
                try await lab.check(
                    "a",
                    ["launch", root, "web", "--mount", "\(shared):/data", "--"]
                        + [MappedProgram.path])
            }
            let before = try await MappedProgram.verify("web", on: "a", of: lab)
            let report = try await lab.move("web", from: "a", to: "b")
            #expect(report.mounts == ["/data": .share])
            let after = try await MappedProgram.verify("web", on: "b", of: lab)
            #expect(after > before)
            let back = try await lab.move("web", from: "b", to: "a", ["--mount", "/data=share"])
            #expect(back.mounts == ["/data": .share])
            #expect(try await MappedProgram.verify("web", on: "a", of: lab) > after)
        }
    }

    @Test func `a path that is another on the target is remapped, with files open and mapped`()
        async throws
    {
        try await withShared { moving, shared in
            let lab = moving.lab
            try await mount(shared, at: "/run/here", on: lab.host("a"))
            try await mount(shared, at: "/run/there", on: lab.host("b"))
            try await withRoot(MappedProgram.makeRoot) { root in
                try await lab.check(
                    "a",
                    ["launch", root, "web", "--mount", "/run/here:/data", "--"]
                        + [MappedProgram.path])
            }
            let before = try await MappedProgram.verify("web", on: "a", of: lab)
            let lacking = try await moving.move()
            #expect(lacking.status == .exited(2))
            #expect(lacking.errorText.contains("/run/here, which the target lacks"))
            let wrong = try await moving.move(["--mount", "/run/here=/run/nowhere"])
            #expect(wrong.status == .exited(2))
            #expect(wrong.errorText.contains("/run/nowhere") && wrong.errorText.contains("→"))

            let words = ["--mount", "/run/here=/run/there"]
            let plan = try await lab.check("a", ["move", "web", "host-b:", "--dry-run"] + words)
            #expect(plan.contains("mount /data: remap (/run/there of the target)"))
            let report = try await lab.move("web", from: "a", to: "b", words)
            #expect(report.mounts == ["/data": .remap("/run/there")])
            let after = try await MappedProgram.verify("web", on: "b", of: lab)
            #expect(after > before)
            let info = try await lab.check("b", ["info", "web"])
            #expect(info.contains("/data from /run/there"))
            _ = try await lab.move("web", from: "b", to: "a", ["--mount", "/data=/run/here"])
            #expect(try await MappedProgram.verify("web", on: "a", of: lab) > after)
        }
    }

    @Test func `a mount is left out of a cold move, and of no live one`() async throws {
        try await withShared { moving, shared in
            let lab = moving.lab
            try await mount(shared, at: "/run/here", on: lab.host("a"))
            try await lab.check("a", ["volume", "create", "data"])
            try await moving.launch(
                ["--mount", "/run/here:/data", "--volume", "data:/more"])
            let live = try await moving.move(["--mount", "/data=skip"])
            #expect(live.status == .exited(2))
            #expect(live.errorText.contains("CRIU restores every mount"))
            #expect(live.errorText.contains("--cold") && live.errorText.contains("→"))
            let refused = try await moving.move(["--mount", "/data=refuse", "--cold"])
            #expect(refused.status == .exited(2))
            let senseless = try await moving.move(["--mount", "/more=/run/there"])
            #expect(senseless.status == .exited(64), "\(senseless.errorText)")
            try await moving.whole(on: "a", after: moving.lines("a").count)

            let words = ["--cold", "--mount", "/data=skip", "--mount", "/more=skip"]
            let report = try await lab.move("web", from: "a", to: "b", words)
            #expect(report.mounts == ["/data": .skip, "/more": .skip])
            let info = try await lab.check("b", ["info", "web"])
            #expect(!info.contains("Mount:"))
            let volume = try await lab.check("a", ["volume", "info", "data"])
            #expect(volume.contains("to no instance"))
        }
    }

    @Test func `a volume that two instances have stays where it is, until it is detached`()
        async throws
    {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await lab.check("a", ["volume", "create", "data"])
            try await moving.launch(["--volume", "data:/data"])
            let tiny = try await RootFilesystem.tiny.path()
            try await lab.check(
                "a", ["launch", tiny, "reader", "--volume", "data:/data:ro", "--no-start"])
            let refused = try await moving.move()
            #expect(refused.status == .exited(2))
            #expect(refused.errorText.contains("attached to reader as well"))
            #expect(refused.errorText.contains("→ detach it from the others"))
            let running = try await lab.godwit("a", ["volume", "detach", "data", "web"])
            #expect(running.status == .exited(65))
            let used = try await lab.godwit("a", ["volume", "delete", "data"])
            #expect(used.status == .exited(65) && used.errorText.contains("reader, web"))
            try await lab.check("a", ["volume", "detach", "data", "reader"])
            let count = try await moving.lines("a").count
            _ = try await lab.move("web", from: "a", to: "b")
            try await moving.whole(on: "b", after: count)
        }
    }
}
