/// A program that arms a timer of each kind again and again, and tells how late the latest one was.
package enum TimerProgram {
    package static let path = "/timers"
    package static let kinds = [
        "nanosleep", "absolute-sleep", "timerfd", "timerfd-boot", "timerfd-real", "setitimer",
        "posix-timer", "poll", "futex", "volley", "timerfds",
    ]

    package static func build(into root: String) async throws {
        try await compile(source, to: root + path)
    }

    /// Whenever it is frozen, some timer of the volley runs out while it is dumped, and one of the
    /// timerfds may be overdue.
    ///
    /// Each kind has a process of its own, which arms 150 ms and rewrites `/late-KIND`: how often
    /// it fired, and the most that it was late, in milliseconds of the wall clock and of the
    /// monotonic one. The first process appends to `/clocks`: monotonic, boot time and wall clock,
    /// in nanoseconds, every 10 ms.
    private static let source = #"""
        #define _GNU_SOURCE
        #include <errno.h>
        #include <linux/futex.h>
        #include <poll.h>
        #include <signal.h>
        #include <stdint.h>
        #include <stdio.h>
        #include <string.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <sys/timerfd.h>
        #include <time.h>
        #include <unistd.h>

        enum { armed = 150000000 };

        static int64_t now(clockid_t clock) {
            struct timespec t;
            clock_gettime(clock, &t);
            return t.tv_sec * 1000000000LL + t.tv_nsec;
        }

        static struct timespec after(int64_t nanoseconds) {
            return (struct timespec){nanoseconds / 1000000000, nanoseconds % 1000000000};
        }

        static void wait_timerfd(clockid_t clock, int flags) {
            int fd = timerfd_create(clock, 0);
            struct itimerspec spec = {.it_value = after((flags ? now(clock) : 0) + armed)};
            timerfd_settime(fd, flags, &spec, NULL);
            uint64_t count;
            while (read(fd, &count, sizeof count) < 0 && errno == EINTR) continue;
            close(fd);
        }

        static void wait_signal(int posix) {
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, SIGALRM);
            sigprocmask(SIG_BLOCK, &set, NULL);
            timer_t timer;
            if (posix) {
                struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
                struct itimerspec spec = {.it_value = after(armed)};
                timer_create(CLOCK_MONOTONIC, &event, &timer);
                timer_settime(timer, 0, &spec, NULL);
            } else {
                struct itimerval value = {.it_value = {0, armed / 1000}};
                setitimer(ITIMER_REAL, &value, NULL);
            }
            int got;
            sigwait(&set, &got);
            if (posix) timer_delete(timer);
        }

        static void wait_volley(void) {
            enum { count = 100 };
            timer_t timers[count];
            struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, SIGRTMIN);
            sigprocmask(SIG_BLOCK, &set, NULL);
            for (int i = 0; i < count; i++) {
                struct itimerspec spec = {.it_value = after((int64_t)armed * (i + 1) / count)};
                timer_create(CLOCK_MONOTONIC, &event, &timers[i]);
                timer_settime(timers[i], 0, &spec, NULL);
            }
            for (int i = 0; i < count; i++)
                while (sigwaitinfo(&set, NULL) < 0) continue;
            for (int i = 0; i < count; i++) timer_delete(timers[i]);
        }

        static void wait_timerfds(void) {
            enum { count = 200 };
            struct pollfd timers[count];
            for (int i = 0; i < count; i++) {
                struct itimerspec spec = {.it_value = after((int64_t)armed * (i + 1) / count)};
                int clock = i % 2 ? CLOCK_MONOTONIC : CLOCK_BOOTTIME;
                timers[i] = (struct pollfd){.fd = timerfd_create(clock, 0), .events = POLLIN};
                timerfd_settime(timers[i].fd, 0, &spec, NULL);
            }
            for (int i = 0; i < count; i++) {
                while (poll(timers + i, 1, -1) < 0) continue;
                close(timers[i].fd);
            }
        }

        static void wait_one(int kind) {
            struct timespec span = after(armed), end = after(now(CLOCK_MONOTONIC) + armed);
            static int word;
            switch (kind) {
            case 0:
                while (nanosleep(&span, &span) && errno == EINTR) continue;
                return;
            case 1:
                while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL)) continue;
                return;
            case 2: wait_timerfd(CLOCK_MONOTONIC, 0); return;
            case 3: wait_timerfd(CLOCK_BOOTTIME, 0); return;
            case 4: wait_timerfd(CLOCK_REALTIME, TFD_TIMER_ABSTIME); return;
            case 5: wait_signal(0); return;
            case 6: wait_signal(1); return;
            case 7: poll(NULL, 0, armed / 1000000); return;
            case 8: syscall(SYS_futex, &word, FUTEX_WAIT, 0, &span, NULL, 0); return;
            case 9: wait_volley(); return;
            case 10: wait_timerfds(); return;
            }
        }

        static void watch(int kind, const char *name) {
            char path[64];
            snprintf(path, sizeof path, "/late-%s", name);
            FILE *file = fopen(path, "w");
            double worst[2] = {0, 0};
            for (long fired = 1;; fired++) {
                int64_t real = now(CLOCK_REALTIME), monotonic = now(CLOCK_MONOTONIC);
                wait_one(kind);
                double late[2] = {(now(CLOCK_REALTIME) - real - armed) / 1e6,
                                  (now(CLOCK_MONOTONIC) - monotonic - armed) / 1e6};
                for (int i = 0; i < 2; i++) if (late[i] > worst[i]) worst[i] = late[i];
                rewind(file);
                fprintf(file, "%12ld %14.1f %14.1f\n", fired, worst[0], worst[1]);
                fflush(file);
            }
        }

        int main(int count, char **names) {
            for (int i = 1; i < count; i++)
                if (fork() == 0) watch(i - 1, names[i]);
            FILE *file = fopen("/clocks", "w");
            for (;;) {
                fprintf(file, "%lld %lld %lld\n", (long long)now(CLOCK_MONOTONIC),
                        (long long)now(CLOCK_BOOTTIME), (long long)now(CLOCK_REALTIME));
                fflush(file);
                usleep(10000);
            }
        }
        """#
}
