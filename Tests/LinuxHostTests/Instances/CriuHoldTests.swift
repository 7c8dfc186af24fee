import Foundation
import LinuxHost
import MigrationCore
import Testing

/// The socket at which a CRIU that was started ahead waits; a program stands in for it here, as the
/// host tests start the real one.
@Suite(.timeLimit(.minutes(1)))
struct CriuHoldTests {
    /// Ends with 0 once it is let go, with 7 if it is not.
    private static let waiting = """
        import socket, sys
        link = socket.socket(socket.AF_UNIX)
        link.connect(sys.argv[1] + "/held")
        sys.exit(0 if link.recv(1) == b"y" else 7)
        """

    private func with(
        _ words: [String], _ body: (CriuHold, ChildProcess, String) async throws -> Void
    ) async throws {
        let directory = FileManager.default.temporaryDirectory.path + "/godwit-hold-\(UUID())"
        try SmallFile.makeDirectory(directory)
        defer { try? SmallFile.remove(directory) }
        let hold = try CriuHold(in: directory)
        let null = try Descriptor.open("/dev/null", O_RDWR)
        let child = try ChildProcess.start(
            Command(words[0], words.dropFirst() + [directory]),
            descriptors: [(null, 0), (null, 1), (null, 2)])
        try await body(hold, child, directory)
    }

    private func waits(_ hold: CriuHold, _ child: ChildProcess) async throws -> Bool {
        try await blocking { try hold.waitsAhead(of: child) }
    }

    @Test func `who waits goes on when it is let go`() async throws {
        try await with(["python3", "-c", Self.waiting]) { hold, child, directory in
            #expect(try await waits(hold, child))
            #expect(!child.hasEnded)
            try hold.letGo()
            #expect(await child.wait() == .exited(0))
            #expect(child.hasEnded && !SmallFile.exists(directory + "/held"))
        }
    }

    @Test(arguments: [true, false])
    func `who waits, or comes later, ends when the hold is dropped`(isThere: Bool) async throws {
        try await with(["python3", "-c", Self.waiting]) { hold, child, _ in
            let isWaiting = isThere ? try await waits(hold, child) : false
            #expect(isWaiting == isThere)
            await hold.drop(child)
            #expect(await !child.wait().isSuccess)
        }
    }

    @Test func `who ends without waiting is told from who waits`() async throws {
        try await with(["true"]) { hold, child, _ in
            let isWaiting = try await waits(hold, child)
            #expect(!isWaiting)
        }
    }
}
