#define _GNU_SOURCE
#include "clinux_instances.h"

#include <errno.h>
#include <net/if.h>
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
