import LinuxHost
import TestSupport

/// A program that gives back every byte, over TCP and UDP, IPv4 and IPv6, on every interface.
enum EchoProgram {
    static let port: UInt16 = 7000

    /// Makes a root filesystem that holds it, as `/echo`, and busybox.
    ///
    /// - Throws: `toolFailed` if it cannot be built.
    static func root(at path: String) async throws {
        try await Command("cp", ["-a", try await RootFilesystem.tiny.path(), path]).check()
        try await compile(program, to: "\(path)/echo")
    }

    /// `echo MEBIBYTES`: memory without zeros, and a thread that sleeps.
    private static let program = #"""
        #define _GNU_SOURCE
        #include <arpa/inet.h>
        #include <errno.h>
        #include <netinet/tcp.h>
        #include <pthread.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/epoll.h>
        #include <sys/mman.h>
        #include <sys/socket.h>
        #include <unistd.h>

        static int events;
        static void watch(int fd) {
            struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
            epoll_ctl(events, EPOLL_CTL_ADD, fd, &event);
        }
        static int open_one(int family, int type) {
            int fd = socket(family, type | SOCK_NONBLOCK, 0), one = 1;
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
            struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(7000) };
            struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(7000) };
            if (family == AF_INET6) {
                setsockopt(fd, IPPROTO_IPV6, 26 /* IPV6_V6ONLY */, &one, sizeof one);
                bind(fd, (struct sockaddr *)&six, sizeof six);
            } else bind(fd, (struct sockaddr *)&four, sizeof four);
            if (type == SOCK_STREAM) listen(fd, 1024);
            watch(fd);
            return fd;
        }
        static void *sleeper(void *nothing) { for (;;) pause(); return nothing; }
        int main(int count, char **words) {
            size_t size = (count > 1 ? strtoul(words[1], 0, 10) : 1) << 20;
            unsigned long *memory = mmap(0, size, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), state = 88172645463325252ul;
            for (size_t i = 0; i < size / 8; i++) {
                state ^= state << 13; state ^= state >> 7; state ^= state << 17;
                memory[i] = state;
            }
            pthread_t thread;
            pthread_create(&thread, 0, sleeper, 0);
            events = epoll_create1(0);
            int four = open_one(AF_INET, SOCK_STREAM), six = open_one(AF_INET6, SOCK_STREAM);
            int four_u = open_one(AF_INET, SOCK_DGRAM), six_u = open_one(AF_INET6, SOCK_DGRAM);
            puts("ready");
            fflush(stdout);
            struct epoll_event ready[64];
            char text[2048];
            for (;;) {
                int found = epoll_wait(events, ready, 64, -1);
                for (int i = 0; i < found; i++) {
                    int fd = ready[i].data.fd, one = 1, fresh;
                    if (fd == four || fd == six) {
                        while ((fresh = accept4(fd, 0, 0, SOCK_NONBLOCK)) >= 0) {
                            setsockopt(fresh, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                            watch(fresh);
                        }
                    } else if (fd == four_u || fd == six_u) {
                        struct sockaddr_in6 place;
                        socklen_t length = sizeof place;
                        ssize_t got;
                        while ((got = recvfrom(fd, text, sizeof text, 0,
                                    (struct sockaddr *)&place, &length)) >= 0) {
                            sendto(fd, text, got, 0, (struct sockaddr *)&place, length);
                            length = sizeof place;
                        }
                    } else {
                        ssize_t got = recv(fd, text, sizeof text, 0);
                        if (got > 0) send(fd, text, got, MSG_NOSIGNAL);
                        else if (got == 0 || errno != EAGAIN) close(fd);
                    }
                }
            }
        }
        """#
}
