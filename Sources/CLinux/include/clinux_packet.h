/* Sockets and taps in the network namespace of another process, and raw frames. No logic. */
#ifndef CLINUX_PACKET_H
#define CLINUX_PACKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* socket(2), close-on-exec, in the network namespace of the process (0: this thread's own); the
 * thread comes back to its own. Returns the descriptor, or minus an errno. */
int godwit_socket_of(pid_t pid, int family, int type, int protocol);
/* Makes a tap of that name there, which lives as long as the descriptor: frames without any header,
 * reads do not block. Returns the descriptor, or minus an errno (EBUSY: the name is taken). */
int godwit_tap_of(pid_t pid, const char *name);
/* open(2), close-on-exec, while this thread is there: /proc/sys/net shows that namespace. */
int godwit_open_in_network_of(pid_t pid, const char *path, int flags);

/* Whether the interface, in the socket's namespace, can transmit (IFF_RUNNING): 1, 0 or minus
 * errno. */
int godwit_packet_ready(int socket, const char *interface);
/* Sends one whole Ethernet frame out of the interface: 0 or an errno. */
int godwit_packet_send(int socket, const char *interface, const uint8_t *frame, size_t length);
/* The same for an interface that is named by its number. */
int godwit_packet_send_by(int socket, int interface, const uint8_t *frame, size_t length);
/* Has a packet socket hear all frames of one kind that come in through the interface, those to
 * groups included: 0 or an errno. */
int godwit_packet_listen(int socket, int interface, uint16_t kind);

#endif
