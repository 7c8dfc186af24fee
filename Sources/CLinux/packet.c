#define _GNU_SOURCE
#include "clinux_packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
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
    if (pid < 0) snprintf(path, sizeof path, "/proc/thread-self/fd/%d", -(int)pid);
    else snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
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

int godwit_network_new(void) {
    int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (own < 0) return -errno;
    int result = unshare(CLONE_NEWNET) < 0 ? -errno : 0;
    if (result == 0) {
        result = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        if (result < 0) result = -errno;
    }
    come_back(own);
    return result;
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

static int filter(int socket, struct sock_filter *code, size_t count) {
    struct sock_fprog program = {.len = (unsigned short)count, .filter = code};
    int result = setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
    return result < 0 ? errno : 0;
}

static int join(int socket, int interface, unsigned short type, const uint8_t *address) {
    struct packet_mreq request = {
        .mr_ifindex = interface, .mr_type = type, .mr_alen = ETH_ALEN};
    memcpy(request.mr_address, address, ETH_ALEN);
    int result =
        setsockopt(socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request);
    return result < 0 ? errno : 0;
}

int godwit_packet_headers(int socket) {
    int yes = 1;
    return setsockopt(socket, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof yes) < 0 ? errno : 0;
}

int godwit_packet_join(int socket, int interface, const uint8_t *address) {
    return join(
        socket, interface, address[0] & 1 ? PACKET_MR_MULTICAST : PACKET_MR_UNICAST, address);
}

int godwit_packet_deafen(int socket) {
    struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    return filter(socket, code, sizeof code / sizeof code[0]);
}

int godwit_packet_capture(int socket, int interface, const uint8_t *hardware, int room) {
    uint32_t high = (uint32_t)hardware[0] << 24 | (uint32_t)hardware[1] << 16 |
                    (uint32_t)hardware[2] << 8 | hardware[3];
    uint32_t low = (uint32_t)hardware[4] << 8 | hardware[5];
    struct sock_filter code[] = {
        /* Another network's, by its tag. */
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 14),
        /* The instance's own. */
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 6),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 2),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 10),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, low, 10, 0),
        /* To the instance. */
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 2),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, low, 5, 0),
        /* To many: ARP, and IPv6 with ICMP next. */
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 4),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_ARP, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IPV6, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    int error = filter(socket, code, sizeof code / sizeof code[0]);
    if (error) return error;
    if (setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0) return errno;
    struct sockaddr_ll place = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = interface};
    return bind(socket, (const struct sockaddr *)&place, sizeof place) < 0 ? errno : 0;
}

int godwit_packet_pass(int from, int to, int interface, uint8_t *buffer, size_t size) {
    ssize_t count = recv(from, buffer, size, MSG_DONTWAIT | MSG_TRUNC);
    if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : errno == EINTR ? 1 : -errno;
    if ((size_t)count > size) return 1;
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_ifindex = interface, .sll_halen = ETH_ALEN};
    /* What the interface refuses is lost, as on a wire. */
    ssize_t sent = sendto(
        to, buffer, (size_t)count, 0, (const struct sockaddr *)&address, sizeof address);
    (void)sent;
    return 1;
}
