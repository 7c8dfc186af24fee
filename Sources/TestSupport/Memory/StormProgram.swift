import LinuxHost

/// A program that does to its memory whatever a program can do to it.
package enum StormProgram {
    package static func build(at path: String) async throws {
        try await compile(storm, to: path, isStatic: false)
    }

    /// Arguments: a seed, the number of threads, the letters of what it does:
    /// `w` writes, `m` maps, unmaps and replaces, `r` remaps, `d` gives pages back, `p` protects,
    /// `b` moves the break, `f` forks, `l` locks, `g` guards, `h` huge pages, `t` toggles a word,
    /// `e` executes itself, `v` vforks, `s` writes all over 32 MiB. Not `f`
    /// with `v`: a thread that waits for a stopped child misses a stop that went to one in `vfork`.
    private static let storm = #"""
        #define _GNU_SOURCE
        #include <pthread.h>
        #include <stdint.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/mman.h>
        #include <sys/wait.h>
        #include <unistd.h>

        enum { page = 4096, slots = 24, most = 48 };
        static const char *kinds;
        static char **words;

        struct slot { char *at; size_t pages; int closed; };
        struct worker { uint64_t state; struct slot slot[slots]; int first; };

        static uint32_t number(struct worker *w, uint32_t limit) {
            w->state = w->state * 6364136223846793005u + 1442695040888963407u;
            return (uint32_t)(w->state >> 33) % limit;
        }
        static int does(char kind) { return strchr(kinds, kind) != NULL; }
        static char *map(void *at, size_t pages, int fixed) {
            int flags = MAP_PRIVATE | MAP_ANONYMOUS | (fixed ? MAP_FIXED : 0);
            char *made = mmap(at, pages * page, PROT_READ | PROT_WRITE, flags, -1, 0);
            return made == MAP_FAILED ? NULL : made;
        }
        static void dirty(struct worker *w, struct slot *s) {
            if (!s->at || s->closed) return;
            for (int i = 0; i < 8; i++) {
                char *p = s->at + (size_t)number(w, (uint32_t)s->pages) * page;
                if (number(w, 8) == 0) { *(volatile char *)p; continue; }
                *(uint64_t *)(p + 8 * number(w, 512)) = w->state;
            }
        }
        static void drop(struct slot *s) {
            if (s->at) munmap(s->at, s->pages * page);
            *s = (struct slot){0};
        }
        static void remake(struct worker *w, struct slot *s) {
            size_t pages = 1 + number(w, most);
            switch (number(w, 4)) {
            case 0: drop(s); break;
            case 1: /* at the same address, at once */
                if (s->at) { map(s->at, s->pages, 1); s->closed = 0; }
                break;
            case 2: /* one page in the middle */
                if (s->at && s->pages > 4 && !s->closed) {
                    char *hole = s->at + page * (1 + number(w, (uint32_t)s->pages - 3));
                    map(hole, 1, 1);
                }
                break;
            }
            if (!s->at) { *s = (struct slot){map(NULL, pages, 0), pages, 0}; dirty(w, s); }
        }
        static void move(struct worker *w, struct slot *s, struct slot *other) {
            if (!s->at) return;
            size_t pages = 1 + number(w, most);
            char *made = MAP_FAILED;
            switch (number(w, 3)) {
            case 0:
                made = mremap(s->at, s->pages * page, pages * page, MREMAP_MAYMOVE);
                break;
            case 1: /* onto another mapping */
                if (!other->at || other == s) return;
                pages = s->pages < other->pages ? s->pages : other->pages;
                if (other->pages > pages)
                    munmap(other->at + pages * page, (other->pages - pages) * page);
                if (s->pages > pages) munmap(s->at + pages * page, (s->pages - pages) * page);
                made = mremap(s->at, pages * page, pages * page,
                              MREMAP_MAYMOVE | MREMAP_FIXED, other->at);
                s->pages = pages;
                other->at = NULL;
                /* Half may have moved (Linux 6.17, across mappings): nobody uses it any more. */
                if (made == MAP_FAILED) s->at = NULL;
                break;
            default: /* the pages go, the mapping stays */
                if (other->at) return;
                made = mremap(s->at, s->pages * page, s->pages * page, MREMAP_MAYMOVE | 4, NULL);
                if (made == MAP_FAILED) return;
                *other = (struct slot){made, s->pages, s->closed};
                dirty(w, s);
                return;
            }
            if (made != MAP_FAILED) { s->at = made; s->pages = pages; }
        }
        static void protect(struct worker *w, struct slot *s) {
            if (!s->at) return;
            s->closed = !s->closed;
            int rights = s->closed ? (number(w, 2) ? PROT_NONE : PROT_READ)
                                   : PROT_READ | PROT_WRITE;
            mprotect(s->at, s->pages * page, rights);
        }
        static void give_back(struct worker *w, struct slot *s) {
            if (!s->at) return;
            size_t first = number(w, (uint32_t)s->pages);
            size_t count = 1 + number(w, (uint32_t)(s->pages - first));
            madvise(s->at + first * page, count * page, MADV_DONTNEED);
        }
        static void guard(struct worker *w, struct slot *s) {
            if (!s->at || s->closed) return;
            char *p = s->at + (size_t)number(w, (uint32_t)s->pages) * page;
            /* MADV_GUARD_INSTALL, MADV_GUARD_REMOVE; no write in between. */
            if (madvise(p, page, 102) == 0 && number(w, 2)) madvise(p, page, 103);
            else if (madvise(p, page, 103) == 0) *(uint64_t *)p = w->state;
        }
        static void lock(struct worker *w, struct slot *s) {
            if (!s->at || s->closed) return;
            if (number(w, 2)) mlock(s->at, s->pages * page);
            else munlock(s->at, s->pages * page);
            dirty(w, s);
        }
        static void grow(struct worker *w) {
            static char *top;
            char *now = sbrk(0);
            if (top && now > top && number(w, 2)) { sbrk(-(intptr_t)page); return; }
            if (!top) top = now + 16 * page;
            char *got = sbrk(page * (1 + (intptr_t)number(w, 4)));
            if (got != (void *)-1) *(uint64_t *)got = w->state;
        }
        static void branch(struct worker *w) {
            pid_t child = number(w, 2) && does('v') ? vfork() : does('f') ? fork() : -1;
            if (child == 0) _exit(0);
            if (child > 0) waitpid(child, NULL, 0);
        }
        static void huge(struct worker *w) {
            static char *area;
            size_t size = 4 << 20;
            if (!area) {
                area = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                area = (char *)(((uintptr_t)area + size - 1) / size * size);
                madvise(area, size, MADV_HUGEPAGE);
            }
            *(uint64_t *)(area + (size_t)number(w, (uint32_t)(size / 8)) * 8) = w->state;
            if (number(w, 2000) == 0) madvise(area, size, MADV_DONTNEED);
        }
        /* Pages here and there in 32 MiB: more regions than the kernel hands over at once. */
        static void scatter(struct worker *w) {
            static char *area;
            if (!area) area = map(NULL, 8192, 0);
            for (int i = 0; i < 64; i++)
                *(uint64_t *)(area + (size_t)number(w, 8192) * page) = w->state + (uint64_t)i;
        }
        static volatile uint64_t flag[512] __attribute__((aligned(4096)));
        static void once(struct worker *w) {
            struct slot *s = &w->slot[number(w, slots)], *other = &w->slot[number(w, slots)];
            char kind = kinds[number(w, (uint32_t)strlen(kinds))];
            if (kind == 'w') dirty(w, s);
            if (kind == 'm') remake(w, s);
            if (kind == 'r') move(w, s, other);
            if (kind == 'd') give_back(w, s);
            if (kind == 'p' && number(w, 4) == 0) protect(w, s);
            if (kind == 'b' && w->first) grow(w);
            if ((kind == 'f' || kind == 'v') && number(w, 20) == 0) branch(w);
            if (kind == 'l' && number(w, 4) == 0) lock(w, s);
            if (kind == 'g') guard(w, s);
            if (kind == 'h' && w->first) huge(w);
            if (kind == 's' && w->first) scatter(w);
            if (kind == 't') {
                flag[0] = 1;
                for (int i = 0; i < 200; i++) flag[1] = 5;
                flag[0] = 0;
            }
            if (kind == 'e' && w->first && number(w, 20000) == 0) execv(words[0], words);
        }
        static void *work(void *context) {
            struct worker *w = context;
            for (int i = 0; i < slots; i++) { remake(w, &w->slot[i]); dirty(w, &w->slot[i]); }
            for (uint64_t turns = 0;; turns++) {
                once(w);
                if (turns % 64 == 0) usleep(200);
            }
            return NULL;
        }
        int main(int count, char **all) {
            if (count != 4) return 1;
            words = all;
            kinds = all[3];
            for (long i = 1; i < atol(all[2]); i++) {
                struct worker *w = calloc(1, sizeof *w);
                pthread_attr_t attributes;
                pthread_t thread;
                pthread_attr_init(&attributes);
                pthread_attr_setstacksize(&attributes, 65536);
                w->state = strtoull(all[1], NULL, 10) * 977 + (uint64_t)i;
                pthread_create(&thread, &attributes, work, w);
            }
            static struct worker first = {.first = 1};
            first.state = strtoull(all[1], NULL, 10);
            work(&first);
        }
        """#
}
