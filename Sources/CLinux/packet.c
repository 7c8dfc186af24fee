#define _GNU_SOURCE
#include "clinux_packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int name_request(struct ifreq *request, const char *name) {
    memset(request, 0, sizeof *request);
    if (strlen(name) >= sizeof request->ifr_name) return EINVAL;
    strcpy(request->ifr_name, name);
    return 0;
}

/* The thread's own namespace, to come back to, or minus an errno. */
static int enter(pid_t pid) {
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (own < 0) return -errno;
    int other = open(path, O_RDONLY | O_CLOEXEC);
    int error = other < 0 || setns(other, CLONE_NEWNET) < 0 ? errno : 0;
    if (other >= 0) close(other);
    if (!error) return own;
    close(own);
    return -error;
}

static void come_back(int own) {
    /* This thread would do the host's work in the other namespace from here on. */
    if (setns(own, CLONE_NEWNET) < 0) __builtin_trap();
    close(own);
}

int godwit_socket_of(pid_t pid, int family, int type, int protocol) {
    int own = pid ? enter(pid) : 0;
    if (own < 0) return own;
    int result = socket(family, type | SOCK_CLOEXEC, protocol);
    if (result < 0) result = -errno;
    if (pid) come_back(own);
    return result;
}

static int open_tap(const struct ifreq *request) {
    int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap < 0) return -errno;
    if (ioctl(tap, TUNSETIFF, request) == 0) return tap;
    int error = errno;
    close(tap);
    return -error;
}

int godwit_tap_of(pid_t pid, const char *name) {
    struct ifreq request;
    int error = name_request(&request, name);
    if (error) return -error;
    request.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL);
    int own = pid ? enter(pid) : 0;
    if (own < 0) return own;
    int result = open_tap(&request);
    if (pid) come_back(own);
    return result;
}

int godwit_open_in_network_of(pid_t pid, const char *path, int flags) {
    int own = enter(pid);
    if (own < 0) return own;
    int result = open(path, flags | O_CLOEXEC);
    if (result < 0) result = -errno;
    come_back(own);
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
    if (ioctl(socket, SIOCGIFINDEX, &request) < 0) return errno;
    return godwit_packet_send_by(socket, request.ifr_ifindex, frame, length);
}

int godwit_packet_listen(int socket, int interface, uint16_t kind) {
    struct sockaddr_ll place = {
        .sll_family = AF_PACKET, .sll_protocol = htons(kind), .sll_ifindex = interface};
    struct packet_mreq groups = {.mr_ifindex = interface, .mr_type = PACKET_MR_ALLMULTI};
    if (bind(socket, (const struct sockaddr *)&place, sizeof place) < 0) return errno;
    int joined = setsockopt(socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &groups, sizeof groups);
    return joined < 0 ? errno : 0;
}

int godwit_packet_send_by(int socket, int interface, const uint8_t *frame, size_t length) {
    if (length < ETH_HLEN) return EINVAL;
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_ifindex = interface, .sll_halen = ETH_ALEN};
    memcpy(address.sll_addr, frame, ETH_ALEN);
    ssize_t sent =
        sendto(socket, frame, length, 0, (const struct sockaddr *)&address, sizeof address);
    return sent < 0 ? errno : 0;
}
