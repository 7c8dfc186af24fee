import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Pools that an operator makes, with the real daemon.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(3)))
struct HostPoolTests {
    @Test func `an instance moves between pools that were made for it`() async throws {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await lab.check("a", ["pool", "create", "fast", "directory", "source=/run/fast"])
            try await moving.launch(["--pool", "fast"])
            let info = try await lab.check("a", ["pool", "info", "fast"])
            #expect(info.contains("/run/fast") && info.contains("web"))

            let refused = try await lab.godwit("a", ["move", "web", "host-b:"])
            #expect(refused.status == .exited(2))
            #expect(refused.errorText.contains("no pool fast"))
            try await lab.check("b", ["pool", "create", "fast", "dir"])
            _ = try await lab.move("web", from: "a", to: "b")
            try await moving.whole(on: "b", after: 2)

            // What was made is there for the next daemon.
            try await lab.stopDaemon(on: "b")
            try await lab.startDaemon(on: "b")
            #expect(try await moving.runs(on: "b"))
            let held = try await lab.godwit("b", ["pool", "delete", "fast"])
            #expect(held.errorText.contains("(busy)"))
            // Without its directory, as where a disk is not mounted, it is no pool.
            try await lab.stopDaemon(on: "a")
            try await lab.host("a").check(["mv", "/run/fast", "/run/away"])
            try await lab.startDaemon(on: "a")
            let fault = try await lab.check("a", ["pool", "info", "fast"])
            #expect(fault.contains("Unusable") && fault.contains("/run/fast holds no pool"))
            try await lab.host("a").check(["mv", "/run/away", "/run/fast"])
            try await lab.check("a", ["pool", "delete", "fast"])
            let gone = try await lab.check("a", ["pool", "list"])
            #expect(!gone.contains("fast"))
        }
    }
}
