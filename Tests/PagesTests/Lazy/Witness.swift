import LinuxHost

/// A program that judges its own memory: each page's content follows from its number and its
/// version, and it says `BAD` as soon as one byte is wrong, `ok N` after every look at all of them.
enum Witness {
    enum Mode: String, CaseIterable, Sendable {
        /// Verifies and writes.
        case plain
        /// Four threads do so.
        case threads
        /// Children verify what they inherit, and change it for themselves.
        case forks
        /// Memory moves, is emptied, unmapped and mapped again.
        case remaps
        /// 2,000 mappings, no two of which can be merged.
        case mappings
        /// Children that end as soon as they run again.
        case exits
    }

    /// Builds it without any library.
    static func build(at path: String) async throws {
        try await Command("clang", ["-O2", "-static", "-pthread", "-x", "c", "-", "-o", path])
            .check(input: Array(source.utf8))
    }

    private static let source = #"""
        #define _GNU_SOURCE
        #include <pthread.h>
        #include <stdint.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/mman.h>
        #include <sys/wait.h>
        #include <time.h>
        #include <unistd.h>

        enum { words = 512 };
        typedef struct { char *base; uint32_t *version; size_t pages; uint64_t seed; } area;

        static uint64_t next(uint64_t *seed) {
            *seed ^= *seed << 13; *seed ^= *seed >> 7; *seed ^= *seed << 17;
            return *seed;
        }
        static uint64_t word(size_t page, uint32_t version, int at) {
            return version == 0 ? 0
                : (page * 0x9E3779B97F4A7C15ull) ^ ((uint64_t)version << 40) ^ (uint64_t)at;
        }
        static void bad(const char *what, size_t page, uint32_t version, uint64_t found) {
            char line[160];
            int n = snprintf(line, sizeof line, "BAD %s pid %d page %zu version %u found %llx\n",
                what, getpid(), page, version, (unsigned long long)found);
            write(1, line, n);
            _exit(3);
        }
        static void put(area *a, size_t page, uint32_t version) {
            uint64_t *w = (uint64_t *)(a->base + page * 4096);
            for (int i = 0; i < words; i++) w[i] = word(page, version, i);
            a->version[page] = version;
        }
        static void look(area *a, const char *what) {
            for (size_t page = 0; page < a->pages; page++) {
                uint64_t *w = (uint64_t *)(a->base + page * 4096);
                for (int i = 0; i < words; i++)
                    if (w[i] != word(page, a->version[page], i))
                        bad(what, page, a->version[page], w[i]);
            }
        }
        static void change(area *a, int count) {
            while (count--) {
                size_t page = next(&a->seed) % a->pages;
                put(a, page, a->version[page] % 1000000 + 1);
            }
        }
        static void *map(size_t size) {
            void *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (p == MAP_FAILED) _exit(4);
            return p;
        }
        static area make(size_t pages, uint64_t seed) {
            area a = {map(pages * 4096), map(pages * 4), pages, seed * 77 + 5};
            // Every tenth page stays as it was never written.
            for (size_t page = 0; page < pages; page++) if (page % 10) put(&a, page, 1);
            return a;
        }
        static void empty(area *a) {
            size_t page = next(&a->seed) % (a->pages - 64), count = 1 + next(&a->seed) % 64;
            char *at = a->base + page * 4096;
            if (next(&a->seed) % 2) madvise(at, count * 4096, MADV_DONTNEED);
            else if (mmap(at, count * 4096, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at) _exit(5);
            memset(a->version + page, 0, count * 4);
        }
        // Page by page where the kernel refuses more than one mapping at once.
        static void carry(char *from, char *to, size_t count) {
            if (mremap(from, count * 4096, count * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to)
                return;
            for (size_t page = 0; page < count; page++)
                if (mremap(from + page * 4096, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED,
                        to + page * 4096) == MAP_FAILED) _exit(6);
        }
        // Moves a part away and back by another way round, or all of it to where it stays.
        static void move(area *a) {
            if (next(&a->seed) % 2) {
                size_t page = next(&a->seed) % (a->pages - 64), count = 1 + next(&a->seed) % 64;
                char *at = a->base + page * 4096, *hole = map(count * 4096);
                carry(at, hole, count);
                uint64_t *w = (uint64_t *)hole;
                uint32_t version = a->version[page];
                if (w[7] != word(page, version, 7)) bad("moved", page, version, w[7]);
                carry(hole, at, count);
            } else {
                char *to = map(a->pages * 4096);
                carry(a->base, to, a->pages);
                a->base = to;
            }
        }
        static double now(void) {
            struct timespec t; clock_gettime(CLOCK_REALTIME, &t);
            return t.tv_sec + t.tv_nsec / 1e9;
        }
        static void child(area *a, int number) {
            a->seed += number * 7919;
            for (int i = 0; i < 3; i++) { look(a, "child"); change(a, 50); }
            look(a, "child after");
            _exit(0);
        }
        static void forks(area *a) {
            pid_t pids[3];
            for (int i = 0; i < 3; i++) if (!(pids[i] = fork())) child(a, i);
            change(a, 100);
            for (int i = 0; i < 3; i++) {
                int status;
                if (waitpid(pids[i], &status, 0) != pids[i] || status) bad("status", 0, 0, status);
            }
        }
        static void ender(area *a) {
            for (double last = now();; ) {
                usleep(500);
                double t = now();
                if (t - last > 0.05) _exit(0);
                last = t;
            }
        }
        static void enders(area *a, pid_t *pids) {
            for (int i = 0; i < 4; i++) {
                if (pids[i] && waitpid(pids[i], 0, WNOHANG) == 0) continue;
                if (!(pids[i] = fork())) ender(a);
            }
        }
        static void *thread(void *p) { for (;;) { look(p, "thread"); change(p, 100); } }

        static area mappings(size_t count) {
            area a = {map(count * 8 * 4096), map(count * 8 * 4), count * 8, 99};
            for (size_t page = 0; page < a.pages; page++) put(&a, page, 2);
            for (size_t i = 0; i < count; i += 2)
                mprotect(a.base + i * 8 * 4096, 8 * 4096, PROT_READ);
            return a;
        }
        int main(int count, char **words) {
            const char *mode = words[1];
            size_t pages = strtoul(words[2], 0, 10) * 256;
            pid_t pids[4] = {0};
            int is_fixed = !strcmp(mode, "mappings");
            area a = is_fixed ? mappings(2000) : make(pages, 1);
            for (int i = 0; i < 3 && !strcmp(mode, "threads"); i++) {
                area *other = malloc(sizeof *other);
                *other = make(pages / 4, i + 2);
                pthread_t id;
                pthread_create(&id, 0, thread, other);
            }
            for (int round = 0;; round++) {
                // Parents that have not looked themselves fork memory that is not there yet.
                if (strcmp(mode, "forks") || round % 4 == 0) look(&a, "all");
                if (!is_fixed) change(&a, 200);
                if (!strcmp(mode, "forks")) forks(&a);
                if (!strcmp(mode, "exits")) enders(&a, pids);
                for (int i = 0; i < 20 && !strcmp(mode, "remaps"); i++) {
                    empty(&a);
                    if (i % 5 == 0) move(&a);
                }
                char line[32];
                write(1, line, snprintf(line, sizeof line, "ok %d\n", round));
            }
        }
        """#
}
