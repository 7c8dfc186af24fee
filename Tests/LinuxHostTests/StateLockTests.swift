import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// One daemon at a time.
@Suite struct StateLockTests {
    @Test func `what a daemon that ends still holds is waited for`() async throws {
        try await withTree { root in
            try await whileHeld(root, until: "time.sleep(0.3)") {
                _ = try await StateLock(directory: root)
            }
        }
    }

    @Test func `a second daemon is refused`() async throws {
        try await withTree { root in
            let path = "\(root)/go"
            try await whileHeld(
                root, until: "while not os.path.exists('\(path)'): time.sleep(0.01)"
            ) {
                await #expect(throws: GodwitError(.busy, "")) {
                    _ = try await StateLock(directory: root)
                }
                try SmallFile.replace(path, with: [])
            }
        }
    }

    /// Another process has the lock while the body begins.
    private func whileHeld(
        _ root: String, until end: String, _ body: () async throws -> Void
    ) async throws {
        let script = """
            import fcntl, os, time
            file = open('\(root)/lock', 'a+')
            fcntl.lockf(file, fcntl.LOCK_EX)
            open('\(root)/held', 'w')
            \(end)
            """
        async let holder = Command("python3", ["-c", script]).check()
        try await eventually("it is held") { SmallFile.exists("\(root)/held") }
        try await body()
        _ = try await holder
    }
}
