// Load that does not wait for its answers: GETs over HTTP/1.1 at times that are drawn beforehand (exponential gaps), each on a connection
// that is free, kept back when none is. Latency counts from the drawn time, so that a server which stalls cannot hide it.
//   poisson PORT RATE SECONDS CONNECTIONS SEED
// prints: answers p50 p90 p99 (microseconds)
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { kMostConnections = 1024 };
static const char kRequest[] = "GET / HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: poisson\r\nAccept: */*\r\n\r\n";

struct connection {
  int fd;
  double asked;     // when its request was due
  size_t used;      // bytes of the answer so far
  size_t expected;  // of head and body; 0 while the head is not whole
  char head[8192];
};
static struct connection connections[kMostConnections];
static int idle[kMostConnections], idle_count;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static int ascending(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return x < y ? -1 : x > y;
}

// True when the answer is whole.
static int take(struct connection* self) {
  const size_t room = sizeof self->head - 1 - self->used;
  const ssize_t got = recv(self->fd, self->head + self->used, room, MSG_DONTWAIT);
  if (got <= 0) fail("the connection ended");
  self->used += (size_t)got;
  self->head[self->used] = 0;
  if (!self->expected) {
    const char *end = strstr(self->head, "\r\n\r\n"), *length = strcasestr(self->head, "content-length:");
    if (!end) return 0;
    if (strncmp(self->head, "HTTP/1.1 2", 10) != 0 || !length) {
      fprintf(stderr, "poisson: answered %.200s\n", self->head);
      exit(1);
    }
    self->expected = (size_t)(end - self->head) + 4 + (size_t)atol(length + 15);
  }
  return self->used >= self->expected;
}

static void ask(struct connection* self, double due) {
  self->asked = due;
  self->used = self->expected = 0;
  if (send(self->fd, kRequest, sizeof kRequest - 1, MSG_NOSIGNAL) != (ssize_t)(sizeof kRequest - 1)) fail("send");
}

int main(int argc, char** argv) {
  if (argc != 6) return fprintf(stderr, "usage: poisson PORT RATE SECONDS CONNECTIONS SEED\n"), 2;
  const double rate = atof(argv[2]), seconds = atof(argv[3]);
  const int count = atoi(argv[4]) < kMostConnections ? atoi(argv[4]) : kMostConnections;
  unsigned short dice[3] = {0x330e, (unsigned short)atoi(argv[5]), 1};
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1]))};
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  prctl(PR_SET_TIMERSLACK, 1);
  const int epoll_fd = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = kMostConnections};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer, &event);
  for (int i = 0; i < count; ++i) {
    int on = 1;
    connections[i].fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connections[i].fd, (struct sockaddr*)&server, sizeof server) != 0) fail("connect");
    setsockopt(connections[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    event.data.u32 = (unsigned)i;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connections[i].fd, &event);
    idle[idle_count++] = i;
  }
  const size_t most = (size_t)(rate * seconds * 2) + 100;
  double* latencies = malloc(most * sizeof *latencies);
  double* due = malloc(most * sizeof *due);
  size_t drawn = 0, sent = 0, answered = 0;
  for (double at = now() + 0.05, end = at + seconds; at < end && drawn < most; at -= log(1 - erand48(dice)) / rate) due[drawn++] = at;
  while (answered < drawn) {
    while (sent < drawn && idle_count > 0 && due[sent] <= now()) {
      ask(&connections[idle[--idle_count]], due[sent]);
      ++sent;
    }
    if (sent < drawn && idle_count > 0) {
      struct itimerspec when = {.it_value = {(time_t)due[sent], (long)((due[sent] - (double)(time_t)due[sent]) * 1e9)}};
      timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
    }
    struct epoll_event events[64];
    const int ready = epoll_wait(epoll_fd, events, 64, 5000);
    if (ready == 0) return fprintf(stderr, "poisson: no answer within 5 s\n"), 1;
    for (int i = 0; i < ready; ++i) {
      if (events[i].data.u32 == kMostConnections) {
        char ignored[8];
        if (read(timer, ignored, 8) < 0) continue;
      } else if (take(&connections[events[i].data.u32])) {
        latencies[answered++] = now() - connections[events[i].data.u32].asked;
        idle[idle_count++] = (int)events[i].data.u32;
      }
    }
  }
  qsort(latencies, answered, sizeof *latencies, ascending);
  printf("%zu %.1f %.1f %.1f\n", answered, latencies[answered / 2] * 1e6, latencies[answered * 9 / 10] * 1e6,
         latencies[answered * 99 / 100] * 1e6);
  return 0;
}
