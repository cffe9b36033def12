/*
 * AF_PACKET for Node.js through Node-API: sockets that receive whole Ethernet frames in batches (recvmmsg), with the VLAN tag that
 * the kernel has taken off put back where it was (PACKET_AUXDATA) and the kernel's time of arrival. Frames land in one buffer that
 * JavaScript owns: nothing is allocated per frame. What may be decided outside of C is decided in src/linux/packet-link.ts.
 *
 * Built by build.ts; nothing but the C library and the headers of Node.js is needed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <node_api.h>
#include <uv.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define ADDRESS_OCTETS 12 /* destination and source */
#define TAG_OCTETS 4
#define BATCH 128          /* frames per recvmmsg, and slots of the buffer */
#define BATCHES_PER_TURN 8 /* then the loop of Node.js has its turn */
#define NANOS_PER_SECOND 1000000000LL

/* ---------------------------------------------------------------- errors and arguments */

/* Throws an Error with `code` (ENODEV, EPERM, ...) and `syscall`, as those of node:fs have them. */
static napi_value fail(napi_env env, const char *call, int number) {
  napi_value error, message, code, syscall;
  char text[160];
  snprintf(text, sizeof text, "%s: %s", call, strerror(number));
  napi_create_string_utf8(env, uv_err_name(-number), NAPI_AUTO_LENGTH, &code);
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message);
  napi_create_string_utf8(env, call, NAPI_AUTO_LENGTH, &syscall);
  napi_create_error(env, code, message, &error);
  napi_set_named_property(env, error, "syscall", syscall);
  napi_throw(env, error);
  return NULL;
}

static bool arguments(napi_env env, napi_callback_info info, size_t wanted, napi_value *values) {
  size_t count = wanted;
  if (napi_get_cb_info(env, info, &count, values, NULL, NULL) == napi_ok && count >= wanted) return true;
  napi_throw_type_error(env, "ERR_MISSING_ARGS", "packet-socket: arguments are missing");
  return false;
}

static bool number(napi_env env, napi_value value, int32_t *out) {
  if (napi_get_value_int32(env, value, out) == napi_ok) return true;
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "packet-socket: a number is wanted");
  return false;
}

/* A typed array: where its octets are, and how many. */
static bool octets(napi_env env, napi_value value, uint8_t **data, size_t *bytes) {
  napi_typedarray_type type;
  size_t length;
  void *start;
  if (napi_get_typedarray_info(env, value, &type, &length, &start, NULL, NULL) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "packet-socket: a typed array is wanted");
    return false;
  }
  static const uint8_t width[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  *data = start;
  *bytes = length * width[type];
  return true;
}

static napi_value int_of(napi_env env, int32_t value) {
  napi_value result;
  napi_create_int32(env, value, &result);
  return result;
}

/* ---------------------------------------------------------------- the socket */

/* A socket of another network namespace; the thread comes back to its own. -1 with errno. */
static int socket_in(const char *path) {
  int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (home < 0) return -1;
  int there = open(path, O_RDONLY | O_CLOEXEC);
  int fd = -1, why = errno;
  if (there >= 0) {
    if (setns(there, CLONE_NEWNET) == 0) {
      fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      why = errno;
      /* A process that is left in the wrong namespace would open its next sockets there. */
      if (setns(home, CLONE_NEWNET) != 0) abort();
    } else why = errno;
    close(there);
  }
  close(home);
  errno = why;
  return fd;
}

static bool configure(int fd, int buffer) {
  int on = 1;
  /* Beyond net.core.rmem_max only with CAP_NET_ADMIN; without it as much as is allowed. */
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  /* Since Linux 4.20; with older ones such frames are sorted out on reception. */
  setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  return setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) == 0 &&
         setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0;
}

/* openSocket(receiveBuffer: octets, namespace: '' | path) -> fd. It receives nothing before bindSocket: no frame passes unfiltered. */
static napi_value open_socket(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int32_t buffer;
  char namespace[512];
  size_t length;
  if (!arguments(env, info, 2, argv) || !number(env, argv[0], &buffer)) return NULL;
  if (napi_get_value_string_utf8(env, argv[1], namespace, sizeof namespace, &length) != napi_ok) length = 0;
  int fd = length > 0 ? socket_in(namespace) : socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail(env, length > 0 ? "setns" : "socket", errno);
  if (configure(fd, buffer)) return int_of(env, fd);
  int why = errno;
  close(fd);
  return fail(env, "setsockopt", why);
}

/* adoptSocket(fd, receiveBuffer: octets): one that a launcher has opened and bound. */
static napi_value adopt_socket(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int32_t fd, buffer;
  if (!arguments(env, info, 2, argv) || !number(env, argv[0], &fd) || !number(env, argv[1], &buffer)) return NULL;
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) return fail(env, "fcntl", errno);
  if (!configure(fd, buffer)) return fail(env, "setsockopt", errno);
  return NULL;
}

static bool request_of(napi_env env, napi_value name, struct ifreq *request) {
  size_t length;
  memset(request, 0, sizeof *request);
  if (napi_get_value_string_utf8(env, name, request->ifr_name, IFNAMSIZ, &length) == napi_ok && length > 0) return true;
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "packet-socket: the name of an interface is wanted");
  return false;
}

/* interfaceOf(fd, name) -> { index, mtu, address }; in the namespace of the socket. */
static napi_value interface_of(napi_env env, napi_callback_info info) {
  napi_value argv[2], result, buffer, address;
  int32_t fd;
  struct ifreq request;
  void *data;
  if (!arguments(env, info, 2, argv) || !number(env, argv[0], &fd) || !request_of(env, argv[1], &request)) return NULL;
  if (ioctl(fd, SIOCGIFINDEX, &request) != 0) return fail(env, "SIOCGIFINDEX", errno);
  int index = request.ifr_ifindex;
  if (ioctl(fd, SIOCGIFMTU, &request) != 0) return fail(env, "SIOCGIFMTU", errno);
  int mtu = request.ifr_mtu;
  if (ioctl(fd, SIOCGIFHWADDR, &request) != 0) return fail(env, "SIOCGIFHWADDR", errno);
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "index", int_of(env, index));
  napi_set_named_property(env, result, "mtu", int_of(env, mtu));
  napi_create_arraybuffer(env, ETH_ALEN, &data, &buffer);
  memcpy(data, request.ifr_hwaddr.sa_data, ETH_ALEN);
  napi_create_typedarray(env, napi_uint8_array, ETH_ALEN, buffer, 0, &address);
  napi_set_named_property(env, result, "address", address);
  return result;
}

/*
 * bindSocket(fd, index). For all protocols, because a socket bound to one sees a tagged frame only after its tag has been forgotten;
 * what is not wanted is kept out by the filter.
 */
static napi_value bind_socket(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int32_t fd, index;
  if (!arguments(env, info, 2, argv) || !number(env, argv[0], &fd) || !number(env, argv[1], &index)) return NULL;
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) return fail(env, "bind", errno);
  return NULL;
}

/* setFilter(fd, program: Uint8Array of struct sock_filter); none when it is empty. */
static napi_value set_filter(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int32_t fd;
  uint8_t *data;
  size_t bytes;
  if (!arguments(env, info, 2, argv) || !number(env, argv[0], &fd) || !octets(env, argv[1], &data, &bytes)) return NULL;
  struct sock_fprog program = {.len = bytes / sizeof(struct sock_filter), .filter = (struct sock_filter *)data};
  int nothing = 0;
  int done = bytes > 0 ? setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program)
                       : setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &nothing, sizeof nothing);
  if (done != 0 && !(bytes == 0 && errno == ENOENT)) return fail(env, "SO_ATTACH_FILTER", errno);
  return NULL;
}

/* membership(fd, index, kind, address, join): kind is PACKET_MR_MULTICAST 0, PACKET_MR_PROMISC 1, PACKET_MR_ALLMULTI 2. */
static napi_value membership(napi_env env, napi_callback_info info) {
  napi_value argv[5];
  int32_t fd, index, kind;
  uint8_t *address;
  size_t length;
  bool join;
  if (!arguments(env, info, 5, argv) || !number(env, argv[0], &fd) || !number(env, argv[1], &index) ||
      !number(env, argv[2], &kind) || !octets(env, argv[3], &address, &length))
    return NULL;
  napi_get_value_bool(env, argv[4], &join);
  struct packet_mreq request = {.mr_ifindex = index, .mr_type = (unsigned short)kind, .mr_alen = ETH_ALEN};
  memcpy(request.mr_address, address, length < ETH_ALEN ? length : ETH_ALEN);
  int option = join ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP;
  if (setsockopt(fd, SOL_PACKET, option, &request, sizeof request) != 0)
    return fail(env, join ? "PACKET_ADD_MEMBERSHIP" : "PACKET_DROP_MEMBERSHIP", errno);
  return NULL;
}

/* send(fd, frame) -> 0, or the errno it was not sent for. */
static napi_value send_frame(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int32_t fd;
  uint8_t *frame;
  size_t length;
  if (!arguments(env, info, 2, argv) || !number(env, argv[0], &fd) || !octets(env, argv[1], &frame, &length))
    return NULL;
  return int_of(env, send(fd, frame, length, MSG_DONTWAIT) < 0 ? errno : 0);
}

/* drops(fd) -> frames the kernel had no room for since the last call. */
static napi_value drops(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  int32_t fd;
  if (!arguments(env, info, 1, argv) || !number(env, argv[0], &fd)) return NULL;
  struct tpacket_stats statistics;
  socklen_t length = sizeof statistics;
  if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &length) != 0)
    return fail(env, "PACKET_STATISTICS", errno);
  return int_of(env, (int32_t)statistics.tp_drops);
}

static napi_value close_socket(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  int32_t fd;
  if (arguments(env, info, 1, argv) && number(env, argv[0], &fd)) close(fd);
  return NULL;
}

/* ---------------------------------------------------------------- reception */

struct reception {
  uv_poll_t poll; /* first: the handle is the reception */
  napi_env env;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  napi_ref callback;
  napi_ref buffers[3];
  int fd;
  size_t slot;         /* octets from one frame to the next */
  uint8_t *frames;     /* BATCH slots; a frame begins at its slot, or 4 octets behind when it had no tag */
  int32_t *places;     /* per frame: where it begins, and its octets */
  int64_t *times;      /* per frame: ns since the Unix epoch */
  uint32_t lost;       /* longer than a slot */
  struct mmsghdr messages[BATCH];
  struct iovec vectors[BATCH];
  struct sockaddr_ll senders[BATCH];
  uint8_t control[BATCH][CMSG_SPACE(sizeof(struct tpacket_auxdata)) + CMSG_SPACE(sizeof(struct timespec))];
};

/* What the kernel tells beside the frame. Puts the tag back: the addresses move 4 octets to the front. */
static void finish(struct reception *self, int from, int to) {
  struct msghdr *header = &self->messages[from].msg_hdr;
  uint8_t *slot = self->frames + (size_t)from * self->slot;
  uint32_t length = self->messages[from].msg_len, offset = TAG_OCTETS;
  int64_t at = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
      struct timespec time;
      memcpy(&time, CMSG_DATA(c), sizeof time);
      at = time.tv_sec * NANOS_PER_SECOND + time.tv_nsec;
    } else if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA) {
      struct tpacket_auxdata aux;
      memcpy(&aux, CMSG_DATA(c), sizeof aux);
      if ((aux.tp_status & TP_STATUS_VLAN_VALID) && length >= ADDRESS_OCTETS) {
        uint16_t type = aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : ETH_P_8021Q;
        memmove(slot, slot + TAG_OCTETS, ADDRESS_OCTETS);
        slot[12] = type >> 8, slot[13] = type & 0xff;
        slot[14] = aux.tp_vlan_tci >> 8, slot[15] = aux.tp_vlan_tci & 0xff;
        offset = 0;
        length += TAG_OCTETS;
      }
    }
  }
  if (at == 0) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    at = time.tv_sec * NANOS_PER_SECOND + time.tv_nsec;
  }
  self->places[2 * to] = from * (int32_t)self->slot + (int32_t)offset;
  self->places[2 * to + 1] = (int32_t)length;
  self->times[to] = at;
}

/* callback(frames in the buffer, frames that were too long, errno or 0) */
static void tell(struct reception *self, int count, int why) {
  napi_env env = self->env;
  napi_handle_scope scope;
  napi_value global, callback, result, argv[3];
  napi_open_handle_scope(env, &scope);
  napi_get_global(env, &global);
  napi_get_reference_value(env, self->callback, &callback);
  argv[0] = int_of(env, count);
  argv[1] = int_of(env, (int32_t)self->lost);
  argv[2] = int_of(env, why);
  self->lost = 0;
  if (napi_make_callback(env, self->context, global, callback, 3, argv, &result) == napi_pending_exception) {
    napi_value error;
    napi_get_and_clear_last_exception(env, &error);
    napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

static void readable(uv_poll_t *handle, int status, int events) {
  struct reception *self = (struct reception *)handle;
  (void)events;
  if (status < 0) {
    /* libuv stops at an error of the socket; one that is down for a while is only that. */
    int why = 0;
    socklen_t length = sizeof why;
    getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &why, &length);
    uv_poll_start(&self->poll, UV_READABLE, readable);
    tell(self, 0, why != 0 ? why : -status);
    return;
  }
  for (int turn = 0; turn < BATCHES_PER_TURN && !uv_is_closing((uv_handle_t *)handle); turn++) {
    for (int i = 0; i < BATCH; i++) {
      struct msghdr *header = &self->messages[i].msg_hdr;
      header->msg_controllen = sizeof self->control[i];
      header->msg_namelen = sizeof self->senders[i];
      header->msg_flags = 0;
    }
    int count = recvmmsg(self->fd, self->messages, BATCH, MSG_DONTWAIT, NULL);
    if (count < 0) {
      if (errno != EAGAIN && errno != EINTR) tell(self, 0, errno);
      return;
    }
    int kept = 0;
    for (int i = 0; i < count; i++) {
      if (self->senders[i].sll_pkttype == PACKET_OUTGOING) continue;
      if (self->messages[i].msg_hdr.msg_flags & MSG_TRUNC) self->lost++;
      else finish(self, i, kept++);
    }
    if (kept > 0 || self->lost > 0) tell(self, kept, 0);
    if (count < BATCH) return;
  }
}

static void closed(uv_handle_t *handle) {
  struct reception *self = (struct reception *)handle;
  napi_handle_scope scope;
  napi_open_handle_scope(self->env, &scope);
  napi_delete_reference(self->env, self->callback);
  for (int i = 0; i < 3; i++) napi_delete_reference(self->env, self->buffers[i]);
  napi_async_destroy(self->env, self->context);
  napi_close_handle_scope(self->env, scope);
  napi_remove_async_cleanup_hook(self->cleanup);
  free(self);
}

static void end(struct reception *self) {
  if (uv_is_closing((uv_handle_t *)&self->poll)) return;
  uv_poll_stop(&self->poll);
  uv_close((uv_handle_t *)&self->poll, closed);
}

/* The thread of Node.js ends while frames are still received. */
static void abandoned(napi_async_cleanup_hook_handle hook, void *data) {
  (void)hook;
  end(data);
}

/*
 * receive(fd, frames: Uint8Array(BATCH * slot), places: Int32Array(2 * BATCH), times: BigInt64Array(BATCH), callback) -> handle.
 * Places are pairs: where a frame begins in `frames`, and its octets. All is overwritten after the call-back.
 */
static napi_value receive(napi_env env, napi_callback_info info) {
  napi_value argv[5], name, result;
  int32_t fd;
  uint8_t *data[3];
  size_t bytes[3];
  uv_loop_t *loop;
  if (!arguments(env, info, 5, argv) || !number(env, argv[0], &fd)) return NULL;
  for (int i = 0; i < 3; i++)
    if (!octets(env, argv[1 + i], &data[i], &bytes[i])) return NULL;
  if (bytes[0] < BATCH * 128 || bytes[1] < 2 * BATCH * sizeof(int32_t) || bytes[2] < BATCH * sizeof(int64_t)) {
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "packet-socket: the buffers are too small");
    return NULL;
  }
  struct reception *self = calloc(1, sizeof *self);
  if (self == NULL || napi_get_uv_event_loop(env, &loop) != napi_ok) {
    free(self);
    return fail(env, "calloc", ENOMEM);
  }
  int status = uv_poll_init(loop, &self->poll, fd);
  if (status != 0) {
    free(self);
    return fail(env, "uv_poll_init", -status);
  }
  self->env = env;
  self->fd = fd;
  self->slot = bytes[0] / BATCH;
  self->frames = data[0];
  self->places = (int32_t *)data[1];
  self->times = (int64_t *)data[2];
  for (int i = 0; i < BATCH; i++) {
    self->vectors[i] = (struct iovec){self->frames + (size_t)i * self->slot + TAG_OCTETS, self->slot - TAG_OCTETS};
    self->messages[i].msg_hdr = (struct msghdr){.msg_name = &self->senders[i],
                                                .msg_iov = &self->vectors[i],
                                                .msg_iovlen = 1,
                                                .msg_control = self->control[i]};
  }
  napi_create_reference(env, argv[4], 1, &self->callback);
  for (int i = 0; i < 3; i++) napi_create_reference(env, argv[1 + i], 1, &self->buffers[i]);
  napi_create_string_utf8(env, "PACKETSOCKET", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, NULL, name, &self->context);
  napi_add_async_cleanup_hook(env, abandoned, self, &self->cleanup);
  uv_poll_start(&self->poll, UV_READABLE, readable);
  napi_create_external(env, self, NULL, NULL, &result);
  return result;
}

/* stop(handle): once; the handle is not to be used again. */
static napi_value stop(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  void *self;
  if (!arguments(env, info, 1, argv)) return NULL;
  if (napi_get_value_external(env, argv[0], &self) == napi_ok) end(self);
  return NULL;
}

NAPI_MODULE_INIT() {
  static const struct {
    const char *name;
    napi_callback function;
  } functions[] = {
      {"openSocket", open_socket}, {"adoptSocket", adopt_socket}, {"interfaceOf", interface_of},
      {"bindSocket", bind_socket}, {"setFilter", set_filter},     {"membership", membership},
      {"send", send_frame},        {"drops", drops},              {"closeSocket", close_socket},
      {"receive", receive},        {"stop", stop},
  };
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    napi_value function;
    napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].function, NULL, &function);
    napi_set_named_property(env, exports, functions[i].name, function);
  }
  napi_set_named_property(env, exports, "batch", int_of(env, BATCH));
  return exports;
}
