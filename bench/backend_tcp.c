// The server behind the proxies of raw TCP: says again what it hears, or drops it and says one byte for each MiB.
//   backend_tcp PORT echo|sink
#define _GNU_SOURCE
#include "listen.h"

#include <string.h>
#include <unistd.h>

static char buffer[256 << 10];
static size_t heard[kMaxFds];  // of the MiB under way
static int echoes;

static void take(int fd) {
  ssize_t got = recv(fd, buffer, sizeof buffer, 0);
  if (got <= 0) {
    heard[fd] = 0;
    close(fd);
    return;
  }
  if (!echoes) {
    heard[fd] += (size_t)got;
    if (heard[fd] < 1 << 20) return;
    heard[fd] -= 1 << 20;
    send(fd, "!", 1, MSG_NOSIGNAL);
    return;
  }
  for (ssize_t sent = 0; sent < got;) {
    ssize_t n = send(fd, buffer + sent, (size_t)(got - sent), MSG_NOSIGNAL);
    if (n <= 0) return;
    sent += n;
  }
}

int main(int argc, char** argv) {
  if (argc != 3) return fprintf(stderr, "backend_tcp PORT echo|sink\n"), 2;
  echoes = strcmp(argv[2], "echo") == 0;
  return serve_on(argv[1], NULL, take);
}
