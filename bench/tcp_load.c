// Load over raw TCP, as much as goes.
//   tcp_load PORT ping SECONDS CONNECTIONS BYTES   each connection says BYTES and waits until they have come back; prints how often
//   tcp_load PORT stream SECONDS                   one connection says as much as is taken; prints how many MiB
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kMostConnections = 1024 };
static char buffer[1 << 20];
static int port;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static int connected(void) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr*)&to, sizeof to) != 0) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static void say(int fd, size_t size) {
  for (size_t sent = 0; sent < size;) {
    ssize_t n = send(fd, buffer, size - sent < sizeof buffer ? size - sent : sizeof buffer, MSG_NOSIGNAL);
    if (n <= 0) fail("send");
    sent += (size_t)n;
  }
}

// What is said at once must fit into the buffers on its way, or both ends would wait for one another.
static void ping(double seconds, int count, size_t size) {
  static size_t missing[1 << 16];
  int epoll_fd = epoll_create1(0);
  for (int i = 0; i < count; ++i) {
    int fd = connected();
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    missing[fd] = size;
    say(fd, size);
  }
  long answers = 0;
  for (const double end = now() + seconds; now() < end;) {
    struct epoll_event events[128];
    int ready = epoll_wait(epoll_fd, events, 128, 1000);
    for (int i = 0; i < ready; ++i) {
      int fd = events[i].data.fd;
      ssize_t got = recv(fd, buffer, missing[fd], 0);
      if (got <= 0) fail("recv");
      missing[fd] -= (size_t)got;
      if (missing[fd] > 0) continue;
      ++answers;
      missing[fd] = size;
      say(fd, size);
    }
  }
  printf("%ld\n", answers);
}

static void stream(double seconds) {
  int fd = connected();
  long mebibytes = 0;
  for (const double end = now() + seconds; now() < end; ++mebibytes) say(fd, sizeof buffer);
  for (long arrived = 0; arrived < mebibytes;) {  // of each MiB one byte tells
    ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) fail("recv");
    arrived += got;
  }
  printf("%ld\n", mebibytes);
}

int main(int argc, char** argv) {
  if (argc < 4) return fprintf(stderr, "tcp_load PORT ping SECONDS CONNECTIONS BYTES | PORT stream SECONDS\n"), 2;
  port = atoi(argv[1]);
  if (strcmp(argv[2], "stream") == 0) {
    stream(atof(argv[3]));
  } else if (argc == 6 && atoi(argv[4]) > 0 && atoi(argv[4]) <= kMostConnections) {
    ping(atof(argv[3]), atoi(argv[4]), (size_t)atol(argv[5]));
  } else {
    return 2;
  }
  return 0;
}
