/// The programs that tests stop in the middle of whatever they do.
enum WorkloadSource {
    /// Modes by name; each writes to a file how often it went round, how many results were wrong
    /// and how many system calls ended with EINTR.
    static let workload = #"""
        #define _GNU_SOURCE
        #include <errno.h>
        #include <fcntl.h>
        #include <linux/filter.h>
        #include <linux/futex.h>
        #include <linux/seccomp.h>
        #include <poll.h>
        #include <pthread.h>
        #include <signal.h>
        #include <stddef.h>
        #include <stdint.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/epoll.h>
        #include <sys/ioctl.h>
        #include <sys/mman.h>
        #include <sys/prctl.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <ucontext.h>
        #include <unistd.h>

        /* For the test: rounds done, wrong results, calls that ended with EINTR. */
        static volatile struct { uint64_t ticks, wrong, interrupted, value; } *report;
        static void tick(void) { __atomic_add_fetch(&report->ticks, 1, __ATOMIC_SEQ_CST); }
        static void check(int right) {
            if (!right) __atomic_add_fetch(&report->wrong, 1, __ATOMIC_SEQ_CST);
        }
        static void called(int right) {
            if (!right && errno == EINTR) report->interrupted++;
            else check(right);
            tick();
        }
        static double now(void) {
            struct timespec t;
            clock_gettime(CLOCK_MONOTONIC, &t);
            return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
        }
        /* Keeps floating-point and integer registers full over many instructions. */
        static void compute(void) {
            static double expected;
            double sum = 0;
            float lanes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
            uint64_t mix = 1;
            for (int i = 1; i < 3000; i++) {
                sum += 1.0 / i;
                for (int j = 0; j < 8; j++) lanes[j] = lanes[j] * 1.5f / 1.5f;
                mix = mix * 6364136223846793005u + 1442695040888963407u;
            }
            static uint64_t expected_mix;
            if (expected == 0) { expected = sum; expected_mix = mix; }
            float all = 0;
            for (int j = 0; j < 8; j++) all += lanes[j];
            check(sum == expected && mix == expected_mix && all > 35.9f && all < 36.1f);
        }
        static void spin(void) { for (;;) { compute(); tick(); } }
        static void sleeping(void) {
            for (;;) {
                struct timespec t = {0, 30000000};
                double begin = now();
                int result = nanosleep(&t, NULL);
                called(result == 0);
                if (result == 0) check(now() - begin >= 0.0299);
            }
        }
        static void *writer(void *end) {
            for (;;) { usleep(20000); if (write((int)(intptr_t)end, "x", 1) != 1) check(0); }
            return NULL;
        }
        static void reading(void) {
            int ends[2];
            pthread_t thread;
            if (pipe(ends)) exit(1);
            pthread_create(&thread, NULL, writer, (void *)(intptr_t)ends[1]);
            for (char c = 0;; c = 0) {
                called(read(ends[0], &c, 1) == 1);
                check(c == 'x' || c == 0);
            }
        }
        static void epolling(void) {
            int ends[2], set = epoll_create1(0);
            struct epoll_event event = {.events = EPOLLIN};
            if (pipe(ends) || epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event)) exit(1);
            for (;;) called(epoll_wait(set, &event, 1, 40) == 0);
        }
        static void polling(void) {
            struct timespec t = {0, 40000000};
            sigset_t none;
            sigemptyset(&none);
            for (;;) { called(poll(NULL, 0, 40) == 0); called(ppoll(NULL, 0, &t, &none) == 0); }
        }
        static void waiting(void) {
            uint32_t word = 5;
            for (;;) {
                struct timespec t = {0, 40000000};
                long result = syscall(SYS_futex, &word, FUTEX_WAIT, 5, &t, NULL, 0);
                called(result == -1 && errno == ETIMEDOUT);
            }
        }
        static void *one_of_many(void *number) {
            for (;;) { compute(); if ((intptr_t)number % 2) usleep(500); tick(); }
            return NULL;
        }
        static void threads(void) {
            for (intptr_t i = 0; i < 8; i++) {
                pthread_t thread;
                pthread_create(&thread, NULL, one_of_many, (void *)i);
            }
            for (;;) { usleep(1000); tick(); }
        }
        static volatile uint64_t handled;
        static void on_alarm(int signal) { (void)signal; handled++; compute(); }
        static void signals(void) {
            stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
            sigaltstack(&stack, NULL);
            struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_ONSTACK | SA_RESTART};
            sigaction(SIGALRM, &action, NULL);
            struct itimerval every = {{0, 500}, {0, 500}};
            setitimer(ITIMER_REAL, &every, NULL);
            for (uint64_t before;;) {
                before = handled;
                for (int i = 0; i < 200; i++) compute();
                stack_t current;
                sigset_t blocked;
                sigaltstack(NULL, &current);
                sigprocmask(SIG_BLOCK, NULL, &blocked);
                check(current.ss_sp == stack.ss_sp && current.ss_flags == 0);
                check(!sigismember(&blocked, SIGALRM) && !sigismember(&blocked, SIGTERM));
                report->value = handled - before;
                tick();
            }
        }
        /* A stack of 16 KiB in the middle of memory that must not change. */
        static ucontext_t mains, own;
        static uint8_t *around;
        static void on_small_stack(void) {
            for (;;) {
                compute();
                for (int i = 0; i < 65536; i += 64)
                    if (around[i] != 0xa5 || around[65536 + 16384 + i] != 0xa5) check(0);
                tick();
            }
        }
        static void coroutine(void) {
            around = malloc(65536 * 2 + 16384);
            memset(around, 0xa5, 65536 * 2 + 16384);
            getcontext(&own);
            own.uc_stack.ss_sp = around + 65536;
            own.uc_stack.ss_size = 16384;
            makecontext(&own, on_small_stack, 0);
            swapcontext(&mains, &own);
        }
        static void filtered(uint32_t action) {
            struct sock_filter rules[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_userfaultfd, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, action),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
            struct sock_fprog program = {4, rules};
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) exit(1);
            spin();
        }
        static void *survivor(void *context) { (void)context; spin(); return NULL; }
        static void leaderless(void) {
            pthread_t thread;
            pthread_create(&thread, NULL, survivor, NULL);
            syscall(SYS_exit, 0);
        }
        static void *sleeper(void *context) { (void)context; for (;;) pause(); return NULL; }
        /* The leader sleeps uninterruptibly for as long as its child does not end. */
        static void vforking(void) {
            tick();
            if (vfork() == 0) { sleeper(NULL); }
            spin();
        }
        /* A userfaultfd of its own, of which it makes use. */
        static void watching(void) {
            int number = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | 1);
            struct { uint64_t api, features, ioctls; } api = {0xaa, 0, 0};
            if (number < 0 || ioctl(number, 0xc018aa3f, &api)) exit(1);
            spin();
        }
        int main(int count, char **words) {
            if (count != 3) return 1;
            int file = open(words[2], O_RDWR | O_CREAT, 0600);
            if (file < 0 || ftruncate(file, 4096)) return 1;
            report = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
            struct { const char *name; void (*run)(void); } all[] = {
                {"spin", spin}, {"sleep", sleeping}, {"read", reading}, {"epoll", epolling},
                {"poll", polling}, {"futex", waiting}, {"threads", threads}, {"signals", signals},
                {"coroutine", coroutine}, {"leaderless", leaderless},
                {"vfork", vforking}, {"watching", watching}};
            for (size_t i = 0; i < sizeof all / sizeof *all; i++)
                if (!strcmp(words[1], all[i].name)) all[i].run();
            if (!strcmp(words[1], "filtered")) filtered(SECCOMP_RET_ERRNO | EPERM);
            if (!strcmp(words[1], "deadly")) filtered(SECCOMP_RET_KILL_PROCESS);
            return 1;
        }
        """#

    /// Injects once and kills itself at the given step; or, with a range, watches that until it is
    /// killed.
    static let injector = #"""
        #include "clinux_inject.h"
        #include "clinux_scan.h"
        #include <stdio.h>
        #include <stdlib.h>
        #include <unistd.h>
        int main(int count, char **words) {
            struct godwit_injection result;
            if (count == 3) godwit_inject_die_at(atoi(words[2]));
            godwit_inject_userfaultfd(atoi(words[1]), 50000, &result);
            if (result.refusal) printf("%s", result.refusal);
            if (result.refusal || count < 4) return result.refusal ? 2 : 0;
            if (godwit_write_protection_begin(result.descriptor)) return 3;
            if (godwit_write_protection_add(result.descriptor, strtoull(words[2], NULL, 10),
                                            strtoull(words[3], NULL, 10))) return 4;
            puts("watching");
            fflush(stdout);
            for (;;) pause();
        }
        """#
}
