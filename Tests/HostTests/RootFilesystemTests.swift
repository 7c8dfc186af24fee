import Foundation
import LinuxHost
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct HostRootFilesystemTests {
    @Test func `busybox runs in the tiny one`() async throws {
        let tree = try await RootFilesystem.tiny.path()
        let said = try await Command("chroot", [tree, "/bin/sh", "-c", "echo here; id -u"]).check()
        #expect(said == "here\n0\n")
    }

    @Test(arguments: [
        ["redis-server", "--version"], ["redis-cli", "--version"], ["nginx", "-v"],
        ["python3", "-c", "import socket, hashlib"], ["sh", "-c", "id redis"],
    ])
    func `every service starts in the other one`(words: [String]) async throws {
        let tree = try await RootFilesystem.services.path()
        let result = try await Command("chroot", [tree] + words).run()
        #expect(result.status.isSuccess, "\(result.errorText)")
    }

    @Test func `a second call builds nothing`() async throws {
        let first = try await RootFilesystem.tiny.path()
        #expect(try await RootFilesystem.tiny.path() == first)
        #expect(FileManager.default.fileExists(atPath: first + "/bin/busybox"))
    }
}
