import Foundation
import LinuxHost

/// A program that has memory of a given size, writes pages of it at a given rate, knows what each
/// must hold, and answers over TCP in redis's manner so that the demo's client can count on it.
enum Workload {
    /// Builds it without any library into the tree.
    static func build(into root: String) async throws {
        let source = FileManager.default.temporaryDirectory.path + "/godwit-pages-\(getpid()).c"
        defer { try? FileManager.default.removeItem(atPath: source) }
        try Data(program.utf8).write(to: URL(filePath: source))
        try await Command(
            "gcc", ["-O2", "-static", "-pthread", "-o", "\(root)/pages", source]
        ).check()
    }

    /// `pages MEBIBYTES PAGES-A-SECOND`: INCR counts, VERIFY tells how many pages are wrong.
    ///
    /// A page's content follows from its number and its version; the versions stand elsewhere, so
    /// that a page from an earlier round is found out.
    private static let program = #"""
        #include <arpa/inet.h>
        #include <poll.h>
        #include <pthread.h>
        #include <stdint.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/mman.h>
        #include <sys/socket.h>
        #include <time.h>
        #include <unistd.h>

        enum { words = 512 };
        static uint64_t *memory;
        static uint32_t *versions;
        static uint64_t pages;
        static long rate;
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

        static uint64_t mix(uint64_t x) {
            x ^= x >> 33; x *= 0xff51afd7ed558ccdull; x ^= x >> 33;
            x *= 0xc4ceb9fe1a85ec53ull; return x ^ x >> 33;
        }
        static uint64_t seed(uint64_t page) { return mix(page << 32 | versions[page]); }
        static void fill(uint64_t page) {
            uint64_t x = seed(page);
            for (int i = 0; i < words; i++) memory[page * words + i] = x += 0x9e3779b97f4a7c15ull;
        }
        static int wrong(uint64_t page) {
            uint64_t x = seed(page);
            for (int i = 0; i < words; i++)
                if (memory[page * words + i] != (x += 0x9e3779b97f4a7c15ull)) return 1;
            return 0;
        }
        static void *writer(void *nothing) {
            uint64_t state = 88172645463325252ull;
            struct timespec next;
            clock_gettime(CLOCK_MONOTONIC, &next);
            long step = rate / 500 > 0 ? rate / 500 : 1;
            for (;;) {
                pthread_mutex_lock(&lock);
                for (long i = 0; i < step; i++) {
                    state = mix(state + 1);
                    uint64_t page = state % pages;
                    versions[page]++;
                    fill(page);
                }
                pthread_mutex_unlock(&lock);
                next.tv_nsec += 1000000000l / (rate / step > 0 ? rate / step : 1);
                while (next.tv_nsec >= 1000000000l) { next.tv_nsec -= 1000000000l; next.tv_sec++; }
                struct timespec now;
                clock_gettime(CLOCK_MONOTONIC, &now);
                if (now.tv_sec > next.tv_sec + 1) next = now;
                clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
            }
            return nothing;
        }
        int main(int count, char **words_) {
            pages = strtoull(words_[1], 0, 10) * 256;
            rate = count > 2 ? atol(words_[2]) : 0;
            memory = mmap(0, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0);
            versions = calloc(pages, sizeof *versions);
            for (uint64_t page = 0; page < pages; page++) fill(page);
            pthread_t thread;
            if (rate > 0) pthread_create(&thread, 0, writer, 0);
            struct sockaddr_in place = { .sin_family = AF_INET, .sin_port = htons(6379) };
            struct pollfd sockets[16] = {
                { .fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLIN } };
            int used = 1, one = 1;
            setsockopt(sockets[0].fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
            bind(sockets[0].fd, (struct sockaddr *)&place, sizeof place);
            listen(sockets[0].fd, 8);
            puts("ready");
            fflush(stdout);
            for (uint64_t counter = 0;;) {
                poll(sockets, used, -1);
                for (int i = used - 1; i > 0; i--) {
                    if (!sockets[i].revents) continue;
                    char text[4096];
                    ssize_t length = recv(sockets[i].fd, text, sizeof text - 1, 0);
                    if (length <= 0) {
                        close(sockets[i].fd);
                        sockets[i] = sockets[--used];
                        continue;
                    }
                    text[length] = 0;
                    uint64_t answer = 0;
                    if (strstr(text, "VERIFY")) {
                        pthread_mutex_lock(&lock);
                        for (uint64_t page = 0; page < pages; page++) answer += wrong(page);
                        pthread_mutex_unlock(&lock);
                    } else answer = ++counter;
                    length = snprintf(text, sizeof text, ":%llu\r\n", (unsigned long long)answer);
                    send(sockets[i].fd, text, length, MSG_NOSIGNAL);
                }
                if (sockets[0].revents && used < 16) {
                    int fresh = accept(sockets[0].fd, 0, 0);
                    if (fresh >= 0) {
                        setsockopt(fresh, IPPROTO_TCP, 1, &one, sizeof one);
                        sockets[used++] = (struct pollfd){ .fd = fresh, .events = POLLIN };
                    }
                }
            }
        }
        """#
}
