#define _GNU_SOURCE
#include "clinux_instances.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int name_request(struct ifreq *request, const char *name) {
    memset(request, 0, sizeof *request);
    if (strlen(name) >= sizeof request->ifr_name) return EINVAL;
    strcpy(request->ifr_name, name);
    return 0;
}

int godwit_interface_set_up(const char *name, int up) {
    struct ifreq request;
    int error = name_request(&request, name);
    if (error) return error;
    int number = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (number < 0) return errno;
    if (ioctl(number, SIOCGIFFLAGS, &request) < 0) {
        error = errno;
    } else {
        request.ifr_flags = (short)(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
        if (ioctl(number, SIOCSIFFLAGS, &request) < 0) error = errno;
    }
    close(number);
    return error;
}

int godwit_interface_exists(const char *name) {
    if (if_nametoindex(name)) return 1;
    return errno == ENODEV || errno == ENXIO ? 0 : -errno;
}

int godwit_packet_socket_of(pid_t pid) {
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (own < 0) return -errno;
    int result = open(path, O_RDONLY | O_CLOEXEC);
    if (result < 0) {
        result = -errno;
    } else {
        int other = result;
        result = setns(other, CLONE_NEWNET) < 0 ? -errno : 0;
        close(other);
        if (result == 0) {
            result = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
            if (result < 0) result = -errno;
            if (setns(own, CLONE_NEWNET) < 0) {
                /* This thread would do the host's work in the instance's namespace from here on. */
                __builtin_trap();
            }
        }
    }
    close(own);
    return result;
}

int godwit_packet_ready(int socket, const char *interface) {
    struct ifreq request;
    int error = name_request(&request, interface);
    if (error) return -error;
    if (ioctl(socket, SIOCGIFFLAGS, &request) < 0) return -errno;
    return (request.ifr_flags & IFF_RUNNING) != 0;
}

int godwit_packet_send(int socket, const char *interface, const uint8_t *frame, size_t length) {
    struct ifreq request;
    int error = name_request(&request, interface);
    if (error) return error;
    if (length < ETH_HLEN) return EINVAL;
    if (ioctl(socket, SIOCGIFINDEX, &request) < 0) return errno;
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_ifindex = request.ifr_ifindex, .sll_halen = ETH_ALEN};
    memcpy(address.sll_addr, frame, ETH_ALEN);
    ssize_t sent =
        sendto(socket, frame, length, 0, (const struct sockaddr *)&address, sizeof address);
    return sent < 0 ? errno : 0;
}

int godwit_reap_until(pid_t pid, int *code, int *status) {
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED) < 0) {
            if (errno == EINTR) continue;
            return errno;
        }
        if (info.si_pid != pid) continue;
        *code = info.si_code;
        *status = info.si_status;
        return 0;
    }
}
