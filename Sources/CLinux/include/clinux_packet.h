/* Sockets and taps in the network namespace of another process, and raw frames. No logic. */
#ifndef CLINUX_PACKET_H
#define CLINUX_PACKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A new network namespace, as a descriptor that keeps it; or minus an errno. */
int godwit_network_new(void);
/* socket(2), close-on-exec, in the network namespace of the process (0: this thread's own; below
 * 0: minus a namespace's descriptor, here and wherever a pid is asked for); the thread comes back to
 * its own. Returns the descriptor, or minus an errno. */
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

/* What follows returns 0 or an errno, unless it says otherwise. */

/* Frames come and go with a virtio_net_hdr before them, which tells what of them is not done yet:
 * checksums, and being cut into several. */
int godwit_packet_headers(int socket);
/* Has the interface take frames to that address, a group's or a machine's, while the socket is. */
int godwit_packet_join(int socket, int interface, const uint8_t *address);
/* Hears from now on what comes and goes through the interface to the hardware address, and ARP and
 * ICMPv6 to groups; not what comes from it, nothing with a VLAN's tag. Keeps that many bytes. */
int godwit_packet_capture(int socket, int interface, const uint8_t *hardware, int room);
/* Hears nothing more; what has been heard can still be read. */
int godwit_packet_deafen(int socket);
/* Takes one frame that was heard and sends it out of the other socket's interface, both with
 * headers: 1, 0 if there is none, or minus an errno. */
int godwit_packet_pass(int from, int to, int interface, uint8_t *buffer, size_t size);

#endif
