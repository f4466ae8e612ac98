// The server behind every proxy of the bench: HTTP/1.1, keep-alive, one fixed answer per request head. It does the least
// that is correct for requests without a body, so that its share of a core stays small and equal for all.
//   backend PORT BODY_BYTES
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kMaxFds = 65536 };
static unsigned char matched[kMaxFds];  // how much of CR LF CR LF this connection has shown so far

int main(int argc, char** argv) {
  if (argc != 3) return fprintf(stderr, "usage: backend PORT BODY_BYTES\n"), 2;
  const size_t body = (size_t)atol(argv[2]);
  char* answer = malloc(body + 256);
  const int head = snprintf(answer, 256, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %zu\r\n\r\n", body);
  memset(answer + head, 'x', body);
  const size_t answer_size = (size_t)head + body;

  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1]))};
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0), epoll_fd = epoll_create1(0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr*)&own, sizeof own) != 0 || listen(listener, 1024) != 0) return perror("listen"), 1;
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    struct epoll_event events[128];
    int count = epoll_wait(epoll_fd, events, 128, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        int client = accept(listener, NULL, NULL);
        if (client < 0 || client >= kMaxFds) continue;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        matched[client] = 0;
        event.data.fd = client;
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, client, &event);
        continue;
      }
      char request[65536];
      ssize_t got = recv(fd, request, sizeof request, MSG_DONTWAIT);
      if (got <= 0) {
        if (got == 0) close(fd);
        continue;
      }
      unsigned state = matched[fd];
      for (ssize_t k = 0; k < got; ++k) {
        state = request[k] == "\r\n\r\n"[state] ? state + 1 : request[k] == '\r';
        if (state < 4) continue;
        state = 0;
        for (size_t sent = 0; sent < answer_size;) {
          ssize_t n = send(fd, answer + sent, answer_size - sent, MSG_NOSIGNAL);
          if (n <= 0) break;
          sent += (size_t)n;
        }
      }
      matched[fd] = (unsigned char)state;
    }
  }
}
