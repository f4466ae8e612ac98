// The floor of every comparison: a relay that parses nothing. One thread, one epoll; what one side sends is read once and
// written once to the other. No proxy over TCP can take much less CPU per request, so results are given as multiples of it.
//   floor LISTEN_PORT BACKEND_PORT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kBufferSize = 65536, kMaxFds = 65536 };
static int peer_of[kMaxFds];  // by file descriptor; -1 for none
static char buffer[kBufferSize];
static int epoll_fd;

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static void watch(int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

static void drop(int fd) {
  int peer = peer_of[fd];
  peer_of[fd] = -1;
  close(fd);
  if (peer >= 0) {
    peer_of[peer] = -1;
    close(peer);
  }
}

// One read, one write. A side that does not take what the other sent is waited for (the bench never gets there).
static void relay(int fd) {
  int peer = peer_of[fd];
  if (peer < 0) return;  // closed earlier in this turn
  ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    drop(fd);
    return;
  }
  for (ssize_t sent = 0; sent < got;) {
    ssize_t n = send(peer, buffer + sent, (size_t)(got - sent), MSG_NOSIGNAL);
    if (n <= 0) {
      drop(fd);
      return;
    }
    sent += n;
  }
}

int main(int argc, char** argv) {
  if (argc != 3) return fprintf(stderr, "usage: floor LISTEN_PORT BACKEND_PORT\n"), 2;
  struct sockaddr_in own = loopback(atoi(argv[1])), backend = loopback(atoi(argv[2]));
  int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr*)&own, sizeof own) != 0 || listen(listener, 1024) != 0) fail("listen");
  epoll_fd = epoll_create1(0);
  for (int i = 0; i < kMaxFds; ++i) peer_of[i] = -1;
  watch(listener);
  for (;;) {
    struct epoll_event events[128];
    int count = epoll_wait(epoll_fd, events, 128, -1);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd != listener) {
        relay(events[i].data.fd);
        continue;
      }
      int client = accept(listener, NULL, NULL);
      int server = socket(AF_INET, SOCK_STREAM, 0);
      if (client < 0 || server < 0 || client >= kMaxFds || server >= kMaxFds) fail("accept");
      if (connect(server, (struct sockaddr*)&backend, sizeof backend) != 0) fail("connect to the backend");
      peer_of[client] = server;
      peer_of[server] = client;
      watch(client);
      watch(server);
    }
  }
}
