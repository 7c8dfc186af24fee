import Foundation
import LinuxHost
import MigrationCore

/// A program that counts in a mapped file, in an open one and in its memory, and compares the
/// three itself.
package enum MappedProgram {
    package static let path = "/mapped"

    /// A root filesystem with the program in it; it counts below /data.
    package static func makeRoot(at path: String) async throws {
        let base = try await RootFilesystem.tiny.path()
        try await Command("cp", ["-a", base, path]).check()
        try FileManager.default.createDirectory(
            atPath: path + "/data", withIntermediateDirectories: true)
        try await compile(program, to: path + Self.path)
    }

    /// - Returns: how far it has counted.
    /// - Throws: `volumeDiffers` if its files are not what its memory says.
    package static func verify(
        _ instance: String, on host: String, of lab: Lab
    ) async throws -> Int {
        let shell = ["exec", instance, "--", "/bin/busybox", "sh", "-c"]
        try await lab.check(host, shell + ["rm -f /answer; : >/ask"])
        var numbers: [Int] = []
        try await eventually(
            "the program compares", within: 30, log: lab.daemonLog(of: host)
        ) {
            let text = try await lab.godwit(host, shell + ["cat /answer"]).text
            numbers = text.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
            return numbers.count == 2
        }
        guard numbers[1] == 0 else {
            throw GodwitError(
                .volumeDiffers, "\(numbers[1]) pages or records differ from memory")
        }
        return numbers[0]
    }

    private static let program = #"""
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdint.h>
        #include <stdio.h>
        #include <sys/mman.h>
        #include <sys/stat.h>
        #include <time.h>
        #include <unistd.h>

        enum { pages = 64, words = 4096 / sizeof(uint64_t) };
        static uint64_t memory[pages], records;

        static unsigned long compare(int mapped, int log, const uint64_t *map) {
            unsigned long differing = 0;
            for (int page = 0; page < pages; page++) {
                uint64_t word = 0;
                pread(mapped, &word, sizeof word, page * 4096L + 8);
                differing += word != memory[page] || map[page * words + 1] != memory[page];
            }
            struct stat status;
            uint64_t last = 0;
            fstat(log, &status);
            pread(log, &last, sizeof last, status.st_size - sizeof last);
            return differing + (status.st_size != (off_t)(records * sizeof last))
                + (last != records);
        }

        int main(void) {
            int mapped = open("/data/map", O_RDWR | O_CREAT | O_TRUNC, 0600);
            int log = open("/data/log", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
            if (mapped < 0 || log < 0 || ftruncate(mapped, pages * 4096)) return 1;
            uint64_t *map =
                mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0);
            if (map == MAP_FAILED) return 2;
            for (uint64_t count = 1;; count++) {
                int page = (int)(count % pages);
                map[page * words + 1] = memory[page] = count;
                if (count % 16 == 0) {
                    records++;
                    if (write(log, &records, sizeof records) != sizeof records) return 3;
                    struct timespec pause = {0, 1000000};
                    nanosleep(&pause, NULL);
                }
                if (count % 64 == 0 && access("/ask", F_OK) == 0) {
                    unlink("/ask");
                    FILE *answer = fopen("/answer.new", "w");
                    if (!answer) return 4;
                    fprintf(answer, "%lu %lu\n", (unsigned long)count,
                            compare(mapped, log, map));
                    fclose(answer);
                    rename("/answer.new", "/answer");
                }
            }
        }
        """#
}
