import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// A program of 32 bits, which cannot be made to open a userfaultfd, moves by another tracker.
@Suite(.timeLimit(.minutes(2))) struct HostOldProgramTests {
    @Test func `a program of 32 bits is watched by hashes and arrives whole`() async throws {
        try await MoveLab.with { moving in
            let lab = moving.lab
            let root = FileManager.default.temporaryDirectory.path + "/godwit-old-\(getpid())"
            defer { try? FileManager.default.removeItem(atPath: root) }
            let base = try await RootFilesystem.tiny.path()
            try await Command("cp", ["-a", base, root]).check()
            try await build(into: root)
            try await lab.check("a", ["launch", root, "web", "--", "/old"])
            try await alive(lab, "a")
            for (source, target) in [("a", "b"), ("b", "a")] {
                try await lab.check(source, ["move", "web", "host-\(target):"])
                let memory = try #require(try await moving.report(source)?.memory)
                #expect(memory.rounds.count > 1 && memory.pagesAhead > 0)
                let use = try #require(memory.trackers.first)
                #expect(use.name == "hash" && use.reason.contains("32"), "\(use)")
                try await alive(lab, target)
            }
        }
    }

    /// It says something 20 times a second, and `wrong` once its memory is.
    private func alive(_ lab: Lab, _ host: String) async throws {
        let before = try await lab.godwit(host, ["logs", "web"]).text.count
        try await eventually("the program goes on", log: lab.daemonLog(of: host)) {
            try await lab.godwit(host, ["logs", "web"]).text.count > before + 20
        }
        #expect(try await !lab.godwit(host, ["logs", "web"]).text.contains("wrong"))
    }

    /// Needs neither headers nor a library of 32 bits.
    private func build(into root: String) async throws {
        let source = root + "/old.c"
        try Data(Self.program.utf8).write(to: URL(filePath: source))
        let words = ["-m32", "-O1", "-static", "-nostdlib", "-ffreestanding", "-no-pie"]
        let safe = ["-fno-pic", "-fno-stack-protector"]
        try await Command("gcc", words + safe + ["-o", root + "/old", source]).check()
    }

    /// Writes everything twice, and compares both.
    private static let program = """
        static int call(int number, int a, int b, int c) {
            int result;
            __asm__ volatile("int $0x80" : "=a"(result)
                : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
            return result;
        }
        enum { count = 1 << 20 };
        static unsigned one[count], other[count];
        void _start(void) {
            for (unsigned n = 0;; n += 256) {
                for (unsigned i = n; i < n + 256; i++) {
                    unsigned place = i * 977u % count;
                    one[place] = i;
                    other[count - 1 - place] = i;
                }
                int wrong = 0;
                for (unsigned i = 0; i < count; i++) wrong |= one[i] != other[count - 1 - i];
                call(4, 1, (int)(wrong ? "wrong\\n" : "alive\\n"), 6);
                struct { int seconds, nanoseconds; } pause = {0, 50000000};
                call(162, (int)&pause, 0, 0);
            }
        }
        """
}
