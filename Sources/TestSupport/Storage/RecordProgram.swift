import Foundation
import LinuxHost
import MigrationCore

/// A program that appends numbered, checksummed records to several files, knows in its memory what
/// it has written, and compares the two itself.
package enum RecordProgram {
    package static let path = "/records"

    /// What the program says of its files.
    package struct Answer: Equatable, Sendable {
        /// As its memory has it, over all files.
        package let records: Int
        package let lost: Int
        package let doubled: Int
        package let torn: Int
        /// Files that are not what memory says, byte by byte.
        package let differing: Int

        package init?(_ text: String) {
            let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
            guard numbers.count == 5 else { return nil }
            (records, lost, doubled, torn, differing) =
                (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4])
        }

        package var isWhole: Bool { lost + doubled + torn + differing == 0 }
    }

    /// A root filesystem with the program in it; its records are below /data.
    package static func makeRoot(at path: String) async throws {
        let base = try await RootFilesystem.tiny.path()
        try await Command("cp", ["-a", base, path]).check()
        try FileManager.default.createDirectory(
            atPath: path + "/data", withIntermediateDirectories: true)
        try await compile(program, to: path + Self.path)
    }

    /// Has the program stop for a moment and look at all that it has written.
    package static func verify(
        _ instance: String, on host: String, of lab: Lab
    ) async throws -> Answer {
        let shell = ["exec", instance, "--", "/bin/busybox", "sh", "-c"]
        try await lab.check(host, shell + ["rm -f /answer; : >/ask"])
        var answer: Answer?
        try await eventually(
            "the program looks at its records", within: 30, log: lab.daemonLog(of: host)
        ) {
            answer = Answer(try await lab.godwit(host, shell + ["cat /answer"]).text)
            return answer != nil
        }
        guard let answer else { preconditionFailure("the condition above held") }
        return answer
    }

    /// 256 bytes a record, eight a write. The first word is the pause after each write in
    /// microseconds; 300 of them, if there is none, make about 5 MB a second, so that a test's
    /// files can be read again in a second. The second is the size in MiB from which on a file is
    /// rotated, as logs are: it gets another name, in place of the one before; 0 or none is never.
    private static let program = #"""
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdint.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <time.h>
        #include <unistd.h>

        enum { files = 4, batch = 8 };
        struct record { uint64_t number, file, words[29], sum; };
        _Static_assert(sizeof(struct record) == 256, "a record");
        /* What is written to now, and what was before it was rotated. */
        enum { current, rotated, parts };
        struct part { uint64_t first, count, hash; };
        static int descriptors[files];
        static struct part written[files][parts];

        static uint64_t mix(uint64_t hash, uint64_t word) {
            hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
            return hash ^ hash >> 29;
        }

        static uint64_t sum(const struct record *record) {
            uint64_t words[32], hash = 1;
            memcpy(words, record, sizeof words);
            for (int i = 0; i < 31; i++) hash = mix(hash, words[i]);
            return hash;
        }

        static struct record make(uint64_t file, uint64_t number) {
            struct record record = {.number = number, .file = file};
            for (int i = 0; i < 29; i++) record.words[i] = mix(number * 31 + i, file);
            record.sum = sum(&record);
            return record;
        }

        static void path_of(int file, int part, char *path) {
            sprintf(path, part == current ? "/data/%d" : "/data/%d.1", file);
        }

        static int open_current(int file) {
            char path[32];
            path_of(file, current, path);
            descriptors[file] = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
            return descriptors[file] >= 0;
        }

        static int rotate(int file) {
            char from[32], to[32];
            struct part *part = written[file];
            path_of(file, current, from);
            path_of(file, rotated, to);
            if (close(descriptors[file]) || rename(from, to)) return 0;
            part[rotated] = part[current];
            part[current] = (struct part){.first = part[rotated].first + part[rotated].count};
            return open_current(file);
        }

        static void verify(void) {
            uint64_t records = 0, lost = 0, doubled = 0, torn = 0, differing = 0;
            for (int file = 0; file < files * parts; file++) {
                const struct part *part = &written[file / parts][file % parts];
                char path[32];
                path_of(file / parts, file % parts, path);
                FILE *stream = fopen(path, "r");
                struct record record;
                uint64_t next = part->first, hash = 0;
                const uint64_t end = part->first + part->count;
                size_t count = 0;
                while (stream && (count = fread(&record, 1, sizeof record, stream))
                                     == sizeof record) {
                    hash = mix(hash, record.sum);
                    if (record.sum != sum(&record) || record.file != (uint64_t)(file / parts))
                        torn++;
                    else if (record.number < next) doubled++;
                    else { lost += record.number - next; next = record.number + 1; }
                }
                if (stream) fclose(stream);
                torn += count != 0;
                if (next < end) lost += end - next;
                differing += hash != part->hash || next != end;
                records += part->count;
            }
            FILE *answer = fopen("/answer.new", "w");
            if (!answer) return;
            fprintf(answer, "%lu %lu %lu %lu %lu\n", (unsigned long)records, (unsigned long)lost,
                    (unsigned long)doubled, (unsigned long)torn, (unsigned long)differing);
            fclose(answer);
            rename("/answer.new", "/answer");
        }

        int main(int count, char **words) {
            struct timespec pause = {0, 1000 * (count > 1 ? atol(words[1]) : 300)};
            const uint64_t most = (count > 2 ? strtoul(words[2], NULL, 10) : 0) << 12;
            for (int file = 0; file < files; file++) if (!open_current(file)) return 1;
            for (uint64_t round = 0;; round++) {
                int file = (int)(round % files);
                struct part *part = &written[file][current];
                if (most && part->count >= most && !rotate(file)) return 3;
                struct record records[batch];
                for (int i = 0; i < batch; i++) {
                    records[i] = make((uint64_t)file, part->first + part->count++);
                    part->hash = mix(part->hash, records[i].sum);
                }
                if (write(descriptors[file], records, sizeof records) != sizeof records) return 2;
                if (round % 64 == 0 && access("/ask", F_OK) == 0) {
                    unlink("/ask");
                    verify();
                }
                if (pause.tv_nsec > 0) nanosleep(&pause, NULL);
            }
        }
        """#
}
