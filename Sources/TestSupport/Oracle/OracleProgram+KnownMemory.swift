extension OracleProgram {
    /// Memory of which every page is known, and its comparison.
    static let knownMemory = #"""
        #define _GNU_SOURCE
        #include <arpa/inet.h>
        #include <errno.h>
        #include <fcntl.h>
        #include <linux/filter.h>
        #include <linux/seccomp.h>
        #include <poll.h>
        #include <pthread.h>
        #include <signal.h>
        #include <spawn.h>
        #include <stdarg.h>
        #include <stdatomic.h>
        #include <stddef.h>
        #include <stdint.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/mman.h>
        #include <sys/prctl.h>
        #include <sys/ptrace.h>
        #include <sys/socket.h>
        #include <sys/syscall.h>
        #include <sys/uio.h>
        #include <sys/wait.h>
        #include <time.h>
        #include <unistd.h>

        enum { page = 4096, words = 512, most_tasks = 128, most_regions = 64 };

        /* ---- What all tasks share. It is shared anonymous memory: CRIU's to carry. ---- */

        struct task {
            _Atomic int pid;           /* 0: free; -1: about to be born */
            _Atomic int busy;          /* threads that are inside of a step */
            _Atomic uint32_t verified; /* the question that it has answered */
            uint64_t wrong, checked;
            uint64_t pair, digest; /* tasks with one pair see the same memory */
        };
        struct control {
            _Atomic int stop;
            _Atomic uint32_t question;
            _Atomic uint64_t steps, wrong_at_exit, checked_at_exit;
            struct task tasks[most_tasks];
        };
        static struct control *control;
        static struct task *me;
        static const char *me_name = "main";
        /* What a part checks besides its regions. */
        static uint64_t (*extra_check)(void);

        static void nap(long microseconds) {
            struct timespec span = {microseconds / 1000000, microseconds % 1000000 * 1000};
            nanosleep(&span, NULL);
        }
        static double wall(void) {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
        }
        static uint64_t mix(uint64_t x) {
            x ^= x >> 33; x *= 0xff51afd7ed558ccdull; x ^= x >> 33;
            x *= 0xc4ceb9fe1a85ec53ull; return x ^ x >> 33;
        }
        static __thread uint64_t chance_state;
        static uint32_t chance(uint32_t limit) {
            if (!chance_state)
                chance_state = (uint64_t)(wall() * 1e6) * 31 + (uintptr_t)&chance_state;
            return (uint32_t)(mix(chance_state++) >> 32) % limit;
        }
        static void say(const char *format, ...) {
            char text[400];
            va_list list;
            va_start(list, format);
            int length = snprintf(text, sizeof text, "%s %d: ", me_name, getpid());
            length += vsnprintf(text + length, sizeof text - (size_t)length - 1, format, list);
            va_end(list);
            if (length > (int)sizeof text - 2) length = sizeof text - 2;
            text[length++] = '\n';
            int file = open("/wrong", O_WRONLY | O_CREAT | O_APPEND, 0644);
            if (file >= 0 && write(file, text, (size_t)length) < 0) _exit(90);
            close(file);
        }
        static void die(const char *what) {
            int error = errno;
            say("%s: %s", what, strerror(error));
            _exit(91);
        }
        static void *map(size_t pages, int flags) {
            int rights = PROT_READ | PROT_WRITE;
            void *at = mmap(NULL, pages * page, rights, flags | MAP_ANONYMOUS, -1, 0);
            if (at == MAP_FAILED) die("mmap");
            return at;
        }

        /* ---- Memory that is known. ---- */

        /* What a page is for its task: the last two are mapped for writing, but the very last
         * cannot be accessed. */
        enum { gone, closed, readable, opened, guarded };
        struct meta { uint32_t id, version; uint8_t state; };
        struct region {
            const char *name;
            char *at;
            uint32_t pages, first, stride; /* this task owns the pages from `first` on */
            uint32_t salt;
            int is_shared;
            struct meta *metas;
        };
        static struct region *regions[most_regions];
        static int region_count;
        static _Atomic uint32_t next_id;

        /* Versions travel otherwise than the pages they tell of: those of private memory are
         * shared, those of shared memory are private. */
        static struct meta *make_metas(uint32_t pages, int is_shared) {
            size_t bytes = pages * sizeof(struct meta);
            return map((bytes + page - 1) / page, is_shared ? MAP_PRIVATE : MAP_SHARED);
        }
        static void renew(struct meta *m, int state) {
            *m = (struct meta){.id = atomic_fetch_add(&next_id, 1), .state = (uint8_t)state};
        }
        static void fresh(struct region *r, uint32_t from, uint32_t count, int state) {
            for (uint32_t n = from; n < from + count; n++) renew(r->metas + n, state);
        }
        static struct region *add_region(
            const char *name, char *at, uint32_t pages, int is_shared, int state)
        {
            struct region *r = calloc(1, sizeof *r);
            struct meta *metas = make_metas(pages, is_shared);
            *r = (struct region){name, at, pages, 0, 1, 0, is_shared, metas};
            for (const char *c = name; *c; c++) r->salt = r->salt * 131 + (uint8_t)*c;
            fresh(r, 0, pages, state);
            if (region_count == most_regions) _exit(92);
            regions[region_count++] = r;
            return r;
        }
        /* Far from where the kernel puts anything by itself. */
        static char *window(uint32_t number) {
            return (char *)(0x200000000000ull + number * 0x4000000ull);
        }
        static void map_at(char *at, size_t pages) {
            if (mmap(at, pages * page, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at) die("mmap at a place");
        }
        /* One step of the version writes one word, as many as there are words write the page. */
        static uint64_t word(const struct region *r, const struct meta *m, uint32_t index) {
            uint64_t turn = ((uint64_t)m->version + words - 1 - index) / words;
            return turn ? mix(mix((uint64_t)r->salt << 32 | m->id) + turn * words + index) | 1 : 0;
        }
        static void through_the_kernel(uint64_t *at, const uint64_t *content) {
            int pipes[2];
            if (pipe2(pipes, O_CLOEXEC) < 0) die("pipe");
            if (write(pipes[1], content, page) != page) die("write to a pipe");
            for (ssize_t done = 0; done < page;) {
                ssize_t count = read(pipes[0], (char *)at + done, (size_t)(page - done));
                if (count <= 0) die("read from a pipe into memory");
                done += count;
            }
            close(pipes[0]);
            close(pipes[1]);
        }
        static void write_page(struct region *r, uint32_t n) {
            struct meta *m = r->metas + n;
            uint64_t *at = (uint64_t *)(r->at + (size_t)n * page);
            uint32_t way = chance(16);
            if (way < 4) {
                uint32_t index = m->version % words;
                m->version++;
                ((volatile uint64_t *)at)[index] = word(r, m, index);
                return;
            }
            m->version += words;
            uint64_t content[words];
            uint64_t *to = way == 4 ? content : at;
            for (uint32_t i = 0; i < words; i++) to[i] = word(r, m, i);
            if (way == 4) through_the_kernel(at, content);
        }
        static void write_some(struct region *r, int count) {
            while (count-- > 0) {
                uint32_t own = (r->pages - r->first - 1) / r->stride + 1;
                uint32_t n = r->first + r->stride * chance(own);
                if (r->metas[n].state == opened) write_page(r, n);
            }
        }
        static void write_all(struct region *r) {
            for (uint32_t n = r->first; n < r->pages; n += r->stride)
                if (r->metas[n].state == opened) write_page(r, n);
        }

        /* ---- Comparing. ---- */

        struct mapping { uintptr_t start, end; char rights[4]; };
        static struct mapping mappings[9000];
        static int mapping_count;

        static void read_mappings(void) {
            static char text[1 << 20];
            size_t length = 0;
            int file = open("/proc/self/maps", O_RDONLY);
            if (file < 0) die("/proc/self/maps");
            for (ssize_t count; (count = read(file, text + length, sizeof text - 1 - length)) > 0;)
                length += (size_t)count;
            close(file);
            text[length] = 0;
            mapping_count = 0;
            for (char *line = text; *line && mapping_count < 9000;) {
                struct mapping *m = mappings + mapping_count++;
                char *end;
                m->start = strtoul(line, &end, 16);
                m->end = strtoul(end + 1, &end, 16);
                memcpy(m->rights, end + 1, 4);
                line = strchr(line, '\n') + 1;
            }
        }
        static const char *rights_at(uintptr_t address) {
            int low = 0, high = mapping_count;
            while (low < high) {
                int middle = (low + high) / 2;
                if (mappings[middle].end <= address) low = middle + 1; else high = middle;
            }
            int is_there = low < mapping_count && mappings[low].start <= address;
            return is_there ? mappings[low].rights : NULL;
        }
        static int can_read(void *at) {
            char byte;
            struct iovec here = {&byte, 1}, there = {at, 1};
            return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1;
        }
        static int differs(const struct region *r, const struct meta *m, const uint64_t *at) {
            for (uint32_t i = 0; i < words; i++)
                if (at[i] != word(r, m, i)) return 1;
            return 0;
        }
        static void explain(const struct region *r, uint32_t n, const uint64_t *at) {
            static int said;
            if (said++ > 40) return;
            struct meta m = r->metas[n];
            uint32_t first = 0, zeros = 0, wrongs = 0;
            for (uint32_t i = words; i-- > 0;) {
                zeros += !at[i];
                if (at[i] != word(r, &m, i)) { first = i; wrongs++; }
            }
            uint32_t version = m.version;
            struct meta older = m;
            while (older.version && older.version + 200000 > version && differs(r, &older, at))
                older.version--;
            say("%s page %u at %p id %u version %u state %d: "
                "%u words differ from %u on, %u are zero, %s %u",
                r->name, n, (const void *)at, m.id, version, m.state, wrongs, first, zeros,
                older.version && !differs(r, &older, at) ? "it is version" : "no version down to",
                older.version);
        }
        static int wrong_page(struct region *r, uint32_t n) {
            const struct meta *m = r->metas + n;
            char *at = r->at + (size_t)n * page;
            const char *rights = rights_at((uintptr_t)at);
            static const char *const expected[] = {"", "---", "r--", "rw-", "rw-"};
            int is_right = m->state == gone ? !rights
                                            : rights && !memcmp(rights, expected[m->state], 3);
            if (!is_right) {
                say("%s page %u at %p has the rights %.4s, not %s", r->name, n, at,
                    rights ? rights : "none", expected[m->state]);
                return 1;
            }
            int is_hidden = m->state == gone || m->state == closed || m->state == guarded;
            if (can_read(at) == is_hidden) {
                say("%s page %u at %p state %d can%s be read", r->name, n, at, m->state,
                    is_hidden ? "" : "not");
                return 1;
            }
            if (m->state == gone || m->state == guarded) return 0;
            if (m->state == closed && mprotect(at, page, PROT_READ) < 0) return 1;
            int wrong = differs(r, m, (uint64_t *)at);
            if (wrong) explain(r, n, (uint64_t *)at);
            if (m->state == closed && mprotect(at, page, PROT_NONE) < 0) return 1;
            return wrong;
        }
        static uint64_t check_all(uint64_t *checked) {
            uint64_t wrong = 0;
            read_mappings();
            for (int i = 0; i < region_count; i++) {
                struct region *r = regions[i];
                for (uint32_t n = r->first; n < r->pages; n += r->stride) {
                    wrong += (uint64_t)wrong_page(r, n);
                    ++*checked;
                }
            }
            return wrong;
        }
        """#
}
