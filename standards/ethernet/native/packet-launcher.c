/*
 * Opens a packet socket on an interface and becomes another program that inherits it: only this file needs CAP_NET_RAW
 * (`setcap cap_net_raw+ep packet-launcher`), the program it starts has no rights at all and no native code.
 *
 *   packet-launcher <interface> <program> [argument ...]
 *
 * The socket is descriptor 3, said by ENERCHAIN_PACKET_FD=3 too. It lets GOOSE and sampled values pass, also with a VLAN or HSR tag,
 * to any group address, and that cannot be changed by who inherits it. Reading gives up after 200 ms and sending after a tick, so that nobody who uses it is held.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define DESCRIPTOR 3

static void die(const char *what) {
  fprintf(stderr, "packet-launcher: %s: %s\n", what, strerror(errno));
  exit(1);
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fputs("packet-launcher <interface> <program> [argument ...]\n", stderr);
    return 2;
  }
  unsigned index = if_nametoindex(argv[1]);
  if (index == 0) die(argv[1]);
  int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) die("socket (CAP_NET_RAW is needed)");

  /* Type at octet 12; 0x8100, 0x88A8 and 0x892F are tags with something behind them. */
  static const unsigned short types[] = {0x88b8, 0x88b9, 0x88ba, 0x8100, 0x88a8, 0x892f};
  enum { TYPES = sizeof types / sizeof types[0] };
  struct sock_filter code[TYPES + 3];
  code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12);
  for (int i = 0; i < TYPES; i++)
    code[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, types[i], TYPES - i, 0);
  code[TYPES + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
  code[TYPES + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0xffffffff);
  struct sock_fprog program = {.len = TYPES + 3, .filter = code};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) die("SO_ATTACH_FILTER");
  int on = 1, buffer = 1 << 24;
  if (setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof on) != 0) die("SO_LOCK_FILTER");

  struct packet_mreq groups = {.mr_ifindex = (int)index, .mr_type = PACKET_MR_ALLMULTI};
  if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &groups, sizeof groups) != 0) die("PACKET_ADD_MEMBERSHIP");
  setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  struct timeval reading = {.tv_usec = 200000}, sending = {.tv_usec = 1000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &reading, sizeof reading);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &sending, sizeof sending);

  struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)index};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) die("bind");
  if (fd != DESCRIPTOR && (dup2(fd, DESCRIPTOR) < 0 || close(fd) != 0)) die("dup2");
  setenv("ENERCHAIN_PACKET_FD", "3", 1);
  execvp(argv[2], &argv[2]);
  die(argv[2]);
}
