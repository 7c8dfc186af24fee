extension OracleProgram {
    /// Tasks that answer for their memory, and the parts that make threads, forks and storms.
    static let tasks = #"""
        /* ---- Steps, questions and tasks. ---- */

        /* Between `enter` and `leave` memory changes; 0 if it must not now. */
        static int enter(void) {
            atomic_fetch_add(&me->busy, 1);
            if (!control->stop) { atomic_fetch_add(&control->steps, 1); return 1; }
            atomic_fetch_sub(&me->busy, 1);
            return 0;
        }
        static void leave(void) { atomic_fetch_sub(&me->busy, 1); }

        static void answer(void) {
            uint32_t question = control->question;
            if (me->verified == question) return;
            me->checked = 0;
            me->wrong = check_all(&me->checked);
            if (extra_check) me->wrong += extra_check();
            me->verified = question;
        }
        /* The life of a task that is never asked to end. */
        static void live(void (*step)(void), long microseconds) {
            for (;;) {
                answer();
                if (enter()) { if (step) step(); leave(); }
                nap(microseconds);
            }
        }
        static void *thread_life(void *argument) {
            struct region *r = argument;
            for (;;) {
                if (enter()) { write_some(r, 3); leave(); }
                nap(2000);
            }
            return NULL;
        }
        static pthread_t start(void *(*body)(void *), void *argument) {
            pthread_t thread;
            pthread_attr_t attributes;
            pthread_attr_init(&attributes);
            pthread_attr_setstacksize(&attributes, 256 << 10);
            if (pthread_create(&thread, &attributes, body, argument)) die("pthread_create");
            return thread;
        }
        static struct task *reserve(void) {
            for (int i = 0; i < most_tasks; i++) {
                struct task *t = control->tasks + i;
                int nobody = 0;
                if (!atomic_compare_exchange_strong(&t->pid, &nobody, -1)) continue;
                t->busy = 0;
                t->verified = control->question;
                t->pair = t->digest = t->wrong = t->checked = 0;
                return t;
            }
            return NULL;
        }
        /* The child's copies of private memory have versions of their own from here on. */
        static void adopt(void) {
            int kept = 0;
            for (int i = 0; i < region_count; i++) {
                struct region *r = regions[i];
                if (r->is_shared) continue;
                struct meta *copy = make_metas(r->pages, 0);
                memcpy(copy, r->metas, r->pages * sizeof *copy);
                r->metas = copy;
                regions[kept++] = r;
            }
            region_count = kept;
        }
        /* A task that answers questions; 0 in the child, negative if there is none. */
        static int new_task(const char *name) {
            struct task *task = reserve();
            if (!task) return -1;
            int pid = fork();
            if (pid < 0) task->pid = 0;
            /* Until the child has copied the versions nobody may write. */
            while (pid > 0 && task->pid == -1) nap(50);
            if (pid != 0) return pid;
            me = task;
            me_name = name;
            extra_check = NULL;
            chance_state = 0;
            adopt();
            me->pid = getpid();
            return 0;
        }
        static void end_task(void) {
            uint64_t checked = 0;
            uint64_t wrong = check_all(&checked);
            if (wrong) say("at its end %llu wrong pages", (unsigned long long)wrong);
            atomic_fetch_add(&control->wrong_at_exit, wrong);
            atomic_fetch_add(&control->checked_at_exit, checked);
            me->busy = 0;
            me->pid = 0;
            _exit(0);
        }
        static char state_of(int pid) {
            char path[40], text[200];
            snprintf(path, sizeof path, "/proc/%d/stat", pid);
            int file = open(path, O_RDONLY);
            ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
            close(file);
            if (length <= 0) return '?';
            text[length] = 0;
            char *end = strrchr(text, ')');
            return end ? end[2] : '?';
        }
        static struct region *private_region(const char *name, uint32_t pages) {
            struct region *r = add_region(name, map(pages, MAP_PRIVATE), pages, 0, opened);
            r->first = 0;
            /* A quarter is never written and must be zero. */
            for (uint32_t n = 0; n < pages; n++) if (n % 4 != 3) write_page(r, n);
            return r;
        }

        /* ---- Parts: each is the life of a task. ---- */

        static struct region *main_region;
        static void write_main_region(void) { write_some(main_region, 4); }

        static char *aligned(char *at) {
            return (char *)(((uintptr_t)at + page - 1) & ~(uintptr_t)(page - 1));
        }
        static void *mayfly(void *nothing) {
            char room[8 * page];
            struct meta metas[7];
            struct region r = {"mayfly", aligned(room), 7, 0, 1, 7, 0, metas};
            memset(r.at, 0, 7 * page);
            fresh(&r, 0, 7, opened);
            for (int i = 0; i < 20; i++) {
                for (uint32_t n = 0; n < 7; n++) write_page(&r, n);
                if (i % 5 == 0) nap(200);
                for (uint32_t n = 0; n < 7; n++)
                    if (differs(&r, metas + n, (uint64_t *)(r.at + n * page))) {
                        explain(&r, n, (uint64_t *)(r.at + n * page));
                        atomic_fetch_add(&control->wrong_at_exit, 1);
                    }
            }
            return nothing;
        }
        static void threads_step(void) {
            pthread_join(start(mayfly, NULL), NULL);
            write_main_region();
        }
        static void *stack_life(void *nothing) {
            char room[17 * page];
            char *at = aligned(room);
            static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
            pthread_mutex_lock(&lock);
            memset(at, 0, 16 * page);
            struct region *r = add_region("thread's stack", at, 16, 0, opened);
            pthread_mutex_unlock(&lock);
            thread_life(r);
            return nothing;
        }
        static void part_threads(void) {
            enum { count = 8, pages = 4096 };
            main_region = private_region("main of threads", 256);
            struct region *all = private_region("threads", pages);
            for (uint32_t i = 0; i < count; i++) {
                struct region *own = malloc(sizeof *own);
                *own = *all;
                own->first = i;
                own->stride = count;
                start(thread_life, own);
            }
            char *heap = sbrk(513 * page);
            start(thread_life, add_region("heap", aligned(heap), 512, 0, opened));
            for (int i = 0; i < 4; i++) start(stack_life, NULL);
            char room[33 * page];
            char *at = aligned(room);
            memset(at, 0, 32 * page);
            start(thread_life, add_region("stack", at, 32, 0, opened));
            live(threads_step, 10000);
        }

        static struct region *forking;
        static int fork_children;
        static void child_life(int generation) {
            double end = wall() + 0.05 + chance(1500) / 1000.0;
            while (wall() < end) {
                answer();
                if (enter()) {
                    write_some(forking, 2);
                    if (generation < 2 && chance(150) == 0 && new_task("grandchild") == 0) {
                        /* Its own steps count for itself. */
                        generation++;
                        end = wall() + 0.05 + chance(1500) / 1000.0;
                        continue;
                    }
                    leave();
                }
                while (waitpid(-1, NULL, WNOHANG) > 0) {}
                nap(4000);
            }
            while (!enter()) { answer(); nap(1000); }
            end_task();
        }
        static void fork_step(void) {
            while (waitpid(-1, NULL, WNOHANG) > 0) fork_children--;
            write_some(forking, 8);
            if (fork_children >= 8) return;
            if (chance(8) == 0) {
                char *const arguments[] = {"oracle", "nothing", NULL};
                int pid;
                if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, NULL) == 0)
                    fork_children++;
            } else {
                int pid = new_task("child");
                if (pid == 0) child_life(0);
                if (pid > 0) fork_children++;
            }
        }
        static void part_forks(void) {
            forking = private_region("forks", 1024);
            live(fork_step, 25000);
        }

        enum { storm_pages = 96, storm_windows = 6, storm_threads = 3 };
        static struct region *storm[storm_threads * storm_windows];

        static int all_mapped(struct region *r, uint32_t from, uint32_t count, int same) {
            for (uint32_t n = from; n < from + count; n++)
                if (!r->metas[n].state || (same && r->metas[n].state != r->metas[from].state))
                    return 0;
            return 1;
        }
        static int is_mapped(void *at) {
            unsigned char result;
            return mincore(at, page, &result) == 0;
        }
        /* A move may fail, or stop half-way where mappings are told apart that were one. */
        static void move_pages(
            struct region *r, uint32_t from, struct region *to, uint32_t at, uint32_t n)
        {
            char *old = r->at + (size_t)from * page, *new = to->at + (size_t)at * page;
            if (r == to && from < at + n && at < from + n) return;
            if (munmap(new, n * (size_t)page) < 0) die("munmap");
            fresh(to, at, n, gone);
            int keeps = chance(4) == 0;
            int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (keeps ? 4 /* DONTUNMAP */ : 0);
            void *made = mremap(old, n * (size_t)page, n * (size_t)page, flags, new);
            for (uint32_t i = 0; i < n; i++) {
                if (made == MAP_FAILED && !is_mapped(new + (size_t)i * page)) continue;
                int state = r->metas[from + i].state;
                to->metas[at + i] = r->metas[from + i];
                int stays = keeps && is_mapped(old + (size_t)i * page);
                renew(r->metas + from + i, stays ? state : gone);
            }
        }
        static void storm_op(struct region **own) {
            static const int rights[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};
            struct region *r = own[chance(storm_windows)], *other = own[chance(storm_windows)];
            uint32_t count = 1 + chance(24), from = chance(storm_pages - count);
            char *at = r->at + (size_t)from * page;
            size_t size = count * (size_t)page;
            int state;
            switch (chance(9)) {
            case 0:
                if (munmap(at, size) < 0) die("munmap");
                fresh(r, from, count, gone);
                return;
            case 1: case 2:
                map_at(at, count);
                fresh(r, from, count, opened);
                break;
            case 3: case 4:
                if (!all_mapped(r, from, count, 0)) return;
                state = closed + (int)chance(3);
                if (mprotect(at, size, rights[state - closed]) < 0) die("mprotect");
                for (uint32_t n = from; n < from + count; n++) r->metas[n].state = (uint8_t)state;
                return;
            case 5: case 6:
                if (all_mapped(r, from, count, 1))
                    move_pages(r, from, other, chance(storm_pages - count), count);
                return;
            case 7:
                if (!all_mapped(r, from, count, 0)) return;
                if (madvise(at, size, MADV_DONTNEED) < 0) die("madvise");
                for (uint32_t n = from; n < from + count; n++)
                    renew(r->metas + n, r->metas[n].state);
                return;
            }
            for (uint32_t n = from; n < from + count; n++)
                if (r->metas[n].state == opened) write_page(r, n);
        }
        static void *storm_life(void *argument) {
            for (;;) {
                if (enter()) { for (int i = 0; i < 6; i++) storm_op(argument); leave(); }
                nap(2000);
            }
            return NULL;
        }
        static void part_storm(void) {
            for (uint32_t i = 0; i < storm_threads * storm_windows; i++) {
                map_at(window(i), storm_pages);
                storm[i] = add_region("storm", window(i), storm_pages, 0, opened);
                write_all(storm[i]);
            }
            main_region = private_region("beside the storm", 2048);
            for (int i = 0; i < storm_threads; i++) start(storm_life, storm + i * storm_windows);
            live(write_main_region, 2000);
        }
        """#
}
