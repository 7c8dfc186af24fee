import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Volumes over the layers of their image, with the real daemon.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(3)))
struct HostOverlayMoveTests {
    @Test func `instances of one image move over layers that travel once, and back`()
        async throws
    {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await prepare(lab)
            for name in ["web", "other", "third"] {
                let start = name == "web" ? [] : ["--no-start"]
                let words = start + ["--pool", "over", "--", RecordProgram.path]
                try await lab.check("a", ["launch", "records", name] + words)
            }
            var records = 0
            for (source, target) in [("a", "b"), ("b", "a")] {
                records = try await moveRecords(
                    lab, from: source, to: target, after: records,
                    planned: ["what changed in volume web by overlay"]
                ).records
                let volumes = "/var/lib/godwit/pools/over/volumes"
                let left = try await lab.host(source).check(["ls", volumes])
                #expect(!left.contains("web"))
            }
            // The target has the layer only as long as one needs it, be it a kept copy.
            try await lab.check("b", ["pool", "prune", "over"])
            let gone = try await lab.move("other", from: "a", to: "b")
            let next = try await lab.move("third", from: "a", to: "b")
            figure("the same image again: \(gone.bytes), then \(next.bytes)")
            #expect((gone.bytes["volume"] ?? 0) > layer)
            #expect((next.bytes["volume"] ?? .max) < 1 << 20)

            // Found again by the next daemon, and removed with the last instance.
            try await lab.stopDaemon(on: "b")
            try await lab.startDaemon(on: "b")
            try await lab.check("b", ["start", "third"])
            #expect(try await RecordProgram.verify("third", on: "b", of: lab).isWhole)
            for (host, names) in [("a", ["web"]), ("b", ["other", "third"])] {
                for name in names { try await lab.check(host, ["delete", name, "--force"]) }
                try await lab.check(host, ["pool", "delete", "over"])
                let left = try await lab.host(host).check(["ls", "/var/lib/godwit/pools"])
                #expect(!left.contains("over"))
            }
        }
    }

    @Test func `snapshots of an instance over layers are copied, travel and are gone back to`()
        async throws
    {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await prepare(lab)
            try await lab.check(
                "a", ["launch", "records", "web", "--pool", "over", "--", RecordProgram.path])
            try await shell("echo kept >/mark; rm /ballast", in: "web", on: "a", lab)
            try await lab.check("a", ["snapshot", "web", "one"])
            try await shell("rm /mark; echo late >/late", in: "web", on: "a", lab)
            try await lab.check("a", ["copy", "web/one", "twin", "--no-address"])
            try await lab.check("a", ["start", "twin"])
            let moved = try await lab.move("web", from: "a", to: "b")
            figure("with a snapshot: \(moved.bytes)")
            try await lab.check("b", ["restore", "web", "one"])
            for (name, host) in [("twin", "a"), ("web", "b")] {
                let files = try await shell("cat /mark; echo /*", in: name, on: host, lab)
                #expect(files.hasPrefix("kept\n"))
                #expect(!files.contains("late") && !files.contains("ballast"), "\(files)")
            }
        }
    }

    @discardableResult
    private func shell(
        _ script: String, in instance: String, on host: String, _ lab: Lab
    ) async throws -> String {
        try await lab.check(
            host, ["exec", instance, "--", "/bin/busybox", "sh", "-c", script])
    }

    /// A pool on each host, and an image of a root that writes records, with 8 MiB besides.
    private func prepare(_ lab: Lab) async throws {
        for host in ["a", "b"] { try await lab.check(host, ["pool", "create", "over", "overlay"]) }
        let root = lab.directory + "/records"
        try await RecordProgram.makeRoot(at: root)
        try await Command(
            "sh", ["-c", "head -c 8M /dev/urandom >$1/ballast", "sh", root]
        ).check()
        try await lab.check("a", ["image", "import", root, "records"])
    }

    /// What the image has at least.
    private let layer: UInt64 = 8 << 20
}
