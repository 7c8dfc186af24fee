extension OracleProgram {
    /// Parts with guards, filters, many mappings and many tasks; the first task, which answers.
    static let server = #"""
        /* Holes, guards, a stack that grows down, memory that children do not get. */
        static struct region *guards, *stack_down, *wiped, *kept_back;
        static uint32_t stack_top;
        static int guard(struct region *r, uint32_t n, int advice) {
            return madvise(r->at + (size_t)n * page, page, advice);
        }
        static void guards_step(void) {
            struct region *r = guards;
            write_some(r, 6);
            write_some(wiped, 1);
            write_some(kept_back, 1);
            write_main_region();
            uint32_t n = chance(r->pages);
            struct meta *m = r->metas + n;
            char *at = r->at + (size_t)n * page;
            if (m->state == opened && chance(3) == 0) {
                if (mprotect(at, page, PROT_NONE) < 0) die("mprotect");
                m->state = closed;
            } else if (m->state == closed) {
                if (mprotect(at, page, PROT_READ | PROT_WRITE) < 0) die("mprotect");
                m->state = opened;
            } else if (m->state == opened && chance(2)) {
                if (madvise(at, page, MADV_DONTNEED) < 0) die("MADV_DONTNEED");
                renew(m, opened);
            } else if (m->state == opened) {
                /* Read, so that it is there: the kernel does not tell a userfaultfd of guards, and
                 * a page that arrives takes a guard's place. */
                (void)*(volatile char *)at;
                if (guard(r, n, 102 /* GUARD_INSTALL */) == 0) renew(m, guarded);
            } else if (m->state == guarded) {
                if (guard(r, n, 103 /* GUARD_REMOVE */) < 0) die("MADV_GUARD_REMOVE");
                renew(m, opened);
                write_page(r, n);
            } else if (m->state == gone && chance(2)) {
                map_at(at, 1);
                renew(m, opened);
                write_page(r, n);
            }
            if (chance(50) == 0 && stack_top > 8) {
                renew(stack_down->metas + --stack_top, opened);
                write_page(stack_down, stack_top);
            }
        }
        /* What a child gets of `wiped` and `kept_back` must not depend on where it is forked. */
        static uint64_t compare_in_child(void) {
            int pid = fork(), status = 0;
            if (pid < 0) return 1;
            if (pid == 0) {
                int wrong = 0;
                for (uint32_t n = 0; n < wiped->pages; n++)
                    for (int i = 0; i < words; i++)
                        if (((uint64_t *)wiped->at)[n * words + i]) { wrong |= 1; break; }
                for (uint32_t n = 0; n < kept_back->pages; n++)
                    if (is_mapped(kept_back->at + (size_t)n * page)) wrong |= 2;
                _exit(wrong);
            }
            if (waitpid(pid, &status, 0) != pid) return 1;
            if (status) say("a child got memory that it must not have: %x", status);
            return status != 0;
        }
        static void part_guards(void) {
            map_at(window(46), 2048);
            guards = add_region("guards", window(46), 2048, 0, opened);
            for (uint32_t n = 0; n < 2048; n++) {
                char *at = guards->at + (size_t)n * page;
                if (n % 16 < 12 || n % 16 == 14) write_page(guards, n);
                switch (n % 16) {
                case 12: munmap(at, page); renew(guards->metas + n, gone); break;
                case 13: case 14:
                    if (mprotect(at, page, PROT_NONE) < 0) die("mprotect");
                    guards->metas[n].state = closed;
                    break;
                case 15:
                    if (guard(guards, n, 102) == 0) renew(guards->metas + n, guarded);
                    break;
                }
            }
            stack_top = 112;
            char *low = window(47);
            if (mmap(low + stack_top * page, 16 * page, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0) == MAP_FAILED)
                die("MAP_GROWSDOWN");
            stack_down = add_region("grows down", low, 128, 0, gone);
            fresh(stack_down, stack_top, 16, opened);
            write_all(stack_down);
            wiped = private_region("wiped on fork", 64);
            kept_back = private_region("not for forks", 64);
            if (madvise(wiped->at, 64 * page, MADV_WIPEONFORK) < 0) die("MADV_WIPEONFORK");
            if (madvise(kept_back->at, 64 * page, MADV_DONTFORK) < 0) die("MADV_DONTFORK");
            main_region = private_region("beside guards", 512);
            extra_check = compare_in_child;
            live(guards_step, 2000);
        }

        /* A filter that ends the task, or answers with an error, for each call it does not know. */
        static void filter(uint32_t otherwise) {
            static const int known[] = {
                SYS_read, SYS_write, SYS_open, SYS_openat, SYS_close, SYS_nanosleep,
                SYS_clock_nanosleep, SYS_restart_syscall, SYS_mprotect, SYS_process_vm_readv,
                SYS_mincore, SYS_futex,
                SYS_exit, SYS_exit_group, SYS_getpid, SYS_rt_sigreturn, SYS_clock_gettime,
                SYS_pipe2, SYS_rt_sigprocmask, SYS_madvise, SYS_munmap, SYS_mmap,
            };
            enum { count = sizeof known / sizeof *known };
            struct sock_filter program[count + 3] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
            for (int i = 0; i < count; i++)
                program[i + 1] = (struct sock_filter)BPF_JUMP(
                    BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)known[i], (uint8_t)(count - i), 0);
            program[count + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, otherwise);
            program[count + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
            struct sock_fprog whole = {count + 3, program};
            if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &whole))
                die("seccomp");
        }
        /* The filter must still hold: one that answers is asked. */
        static uint64_t compare_filter(void) {
            int result = (int)syscall(SYS_getppid);
            if (result == -1 && errno == EPERM) return 0;
            say("the filter is gone: getppid says %d", result);
            return 1;
        }
        static void part_seccomp(void) {
            int pid = new_task("filtered with an answer");
            if (pid < 0) die("fork");
            const char *name = pid ? "filtered to death" : "filtered with an answer";
            main_region = private_region(name, 1024);
            if (pid == 0) extra_check = compare_filter;
            /* Two threads write: each page is one's only. */
            static struct region halves[2];
            for (uint32_t i = 0; i < 2; i++) {
                halves[i] = *main_region;
                halves[i].first = i;
                halves[i].stride = 2;
            }
            main_region = halves;
            start(thread_life, halves + 1);
            filter(pid == 0 ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_KILL_PROCESS);
            live(write_main_region, 2000);
        }

        static void part_mappings(void) {
            map_at(window(50), 6000);
            main_region = add_region("2,000 mappings", window(50), 6000, 0, opened);
            write_all(main_region);
            for (uint32_t n = 0; n < 6000; n += 6) {
                if (mprotect(main_region->at + (size_t)n * page, 3 * page, PROT_READ) < 0)
                    die("mprotect");
                for (uint32_t i = n; i < n + 3; i++) main_region->metas[i].state = readable;
            }
            live(write_main_region, 2000);
        }

        /* A tree of tasks, with a zombie that nobody waits for. */
        static int zombie;
        static uint64_t compare_zombie(void) {
            siginfo_t info = {0};
            int result = waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOHANG | WNOWAIT);
            if (result == 0 && info.si_status == 42 && state_of(zombie) == 'Z') return 0;
            say("the zombie is %c with status %d", state_of(zombie), info.si_status);
            return 1;
        }
        static void part_tree(void) {
            if ((zombie = fork()) == 0) _exit(42);
            main_region = private_region("tree", 512);
            extra_check = compare_zombie;
            for (int depth = 0, i = 0; i < 2 && depth < 3; i++) {
                int pid = new_task("tree");
                if (pid < 0) die("fork");
                if (pid != 0) continue;
                /* In the child, which has the same to do below itself. */
                if (depth++ == 1 && setsid() < 0) die("setsid");
                main_region = private_region("tree", 512);
                i = -1;
            }
            live(write_main_region, 4000);
        }

        /* A task that stands by SIGSTOP whenever it need not answer. */
        static int stopped;
        static struct task *stopped_task;
        static uint64_t compare_stopped(void) {
            uint64_t wrong = state_of(stopped) != 'T';
            if (wrong) say("the stopped task is %c", state_of(stopped));
            kill(stopped, SIGCONT);
            double end = wall() + 10;
            while (stopped_task->verified != control->question && wall() < end) nap(1000);
            while (state_of(stopped) != 'T' && wall() < end) nap(1000);
            return wrong;
        }
        static void part_stopped(void) {
            stopped = new_task("stopped");
            if (stopped < 0) die("fork");
            main_region = private_region(stopped ? "beside the stopped" : "stopped", 512);
            while (stopped == 0) {
                raise(SIGSTOP);
                answer();
                /* Not by `enter`: all others stand. */
                write_some(main_region, 64);
            }
            stopped_task = control->tasks;
            while (stopped_task->pid != stopped) stopped_task++;
            while (state_of(stopped) != 'T') nap(1000);
            extra_check = compare_stopped;
            live(write_main_region, 4000);
        }

        /* Enough for the last pages to arrive long after the task runs again. */
        static void part_large(void) {
            map_at(window(52), 96 << 10);
            main_region = add_region("large", window(52), 96 << 10, 0, opened);
            write_all(main_region);
            live(write_main_region, 2000);
        }

        /* Two that cannot be moved. */
        static void part_userfaultfd(void) {
            main_region = private_region("with a userfaultfd", 64);
            int flags = O_CLOEXEC | 1 /* USER_MODE_ONLY */;
            if (syscall(SYS_userfaultfd, flags) < 0) die("userfaultfd");
            live(write_main_region, 4000);
        }
        static void part_traced(void) {
            main_region = private_region("tracing", 64);
            int pid = fork();
            while (pid == 0) {
                ptrace(PTRACE_TRACEME, 0, 0, 0);
                raise(SIGTRAP);
            }
            if (pid < 0 || waitpid(pid, NULL, 0) != pid) die("trace");
            live(write_main_region, 4000);
        }

        /* ---- The first task: it answers over TCP in redis's manner. ---- */

        static const struct part { const char *name; void (*live)(void); int is_alone; } parts[] = {
            {"threads", part_threads, 0}, {"forks", part_forks, 0}, {"storm", part_storm, 0},
            {"race", part_race, 0}, {"shared", part_shared, 0}, {"memfd", part_memfd, 0},
            {"file", part_file, 0}, {"huge", part_huge, 0}, {"locked", part_locked, 0},
            {"guards", part_guards, 0}, {"seccomp", part_seccomp, 0},
            {"mappings", part_mappings, 0}, {"tree", part_tree, 0}, {"hugetlb", part_hugetlb, 1},
            {"stopped", part_stopped, 1}, {"userfaultfd", part_userfaultfd, 1},
            {"traced", part_traced, 1}, {"large", part_large, 1},
        };
        enum { lost_task = 1000000 };
        static uint64_t checked_pages, answering_tasks;

        static uint64_t verify(void) {
            uint64_t wrong = 0;
            control->stop = 1;
            double end = wall() + 15;
            for (int i = 0; i < most_tasks; i++)
                while (control->tasks[i].pid && control->tasks[i].busy) {
                    if (wall() > end) { say("a step does not end"); return lost_task; }
                    nap(200);
                }
            me->verified = atomic_fetch_add(&control->question, 1) + 1;
            me->checked = 0;
            me->wrong = check_all(&me->checked);
            checked_pages = atomic_exchange(&control->checked_at_exit, 0);
            answering_tasks = 0;
            struct task *pair = NULL;
            for (int i = 0; i < most_tasks; i++) {
                struct task *t = control->tasks + i;
                if (!t->pid) continue;
                while (t->verified != control->question && wall() < end) nap(200);
                if (t->verified != control->question) {
                    say("task %d does not answer, its state is %c", t->pid, state_of(t->pid));
                    wrong += lost_task;
                }
                wrong += t->wrong;
                checked_pages += t->checked;
                answering_tasks++;
                if (!t->pair) continue;
                if (pair && pair->digest != t->digest) {
                    say("two tasks see different shared memory");
                    wrong++;
                }
                pair = t;
            }
            wrong += atomic_exchange(&control->wrong_at_exit, 0);
            control->stop = 0;
            return wrong;
        }
        static uint64_t number_for(const char *text) {
            static uint64_t counter;
            if (strstr(text, "VERIFY")) return verify();
            if (strstr(text, "CHECKED")) return checked_pages;
            if (strstr(text, "TASKS")) return answering_tasks;
            if (strstr(text, "STEPS")) return control->steps;
            return ++counter;
        }
        static void serve(void) {
            struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons(6379)};
            struct pollfd sockets[16] = {{.fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLIN}};
            int used = 1, one = 1;
            setsockopt(sockets[0].fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
            if (bind(sockets[0].fd, (struct sockaddr *)&place, sizeof place)) die("bind");
            listen(sockets[0].fd, 8);
            puts("ready");
            fflush(stdout);
            for (;;) {
                poll(sockets, (nfds_t)used, 4);
                if (enter()) { write_main_region(); leave(); }
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
                    unsigned long long number = number_for(text);
                    length = snprintf(text, sizeof text, ":%llu\r\n", number);
                    send(sockets[i].fd, text, (size_t)length, MSG_NOSIGNAL);
                }
                if (sockets[0].revents && used < 16) {
                    int new = accept(sockets[0].fd, NULL, NULL);
                    if (new < 0) continue;
                    setsockopt(new, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof one);
                    sockets[used++] = (struct pollfd){.fd = new, .events = POLLIN};
                }
            }
        }
        int main(int count, char **arguments) {
            const char *name = count > 1 ? arguments[1] : "all";
            if (!strcmp(name, "nothing")) {
                memset(map(64, MAP_PRIVATE), 1, 64 * page);
                nap(100000);
                return 0;
            }
            control = map((sizeof *control + page - 1) / page, MAP_SHARED);
            control->stop = 1;
            me = control->tasks;
            me->pid = getpid();
            signal(SIGPIPE, SIG_IGN);
            for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
                const struct part *part = parts + i;
                if (strcmp(name, "all") ? strcmp(name, part->name) : part->is_alone) continue;
                int pid = new_task(part->name);
                if (pid < 0) die("fork");
                if (pid == 0) { part->live(); _exit(93); }
                /* One after the other: each has made its memory when it answers. */
                struct task *task = control->tasks + 1;
                while (task->pid != pid) task++;
                uint32_t question = control->question + 1;
                while (task->verified != question) { control->question = question; nap(500); }
            }
            signal(SIGCHLD, SIG_IGN);
            main_region = private_region("main", 256);
            for (struct task *t = control->tasks + 1; t < control->tasks + most_tasks; t++)
                while (t->pid && t->verified != control->question) nap(500);
            control->stop = 0;
            serve();
        }
        """#
}
