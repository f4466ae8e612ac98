// What the servers behind the bench's proxies share: they listen on loopback and read where something has come, on one core.
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { kMaxFds = 65536 };

// For ever, or 1 if nobody may listen there. `greet`: a client has come (NULL: it speaks first). `take`: it has said something, or left.
static int serve_on(const char* port, void (*greet)(int fd), void (*take)(int fd)) {
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
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
      if (fd != listener) {
        take(fd);
        continue;
      }
      int client = accept(listener, NULL, NULL);
      if (client < 0 || client >= kMaxFds) continue;
      setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      event.data.fd = client;
      epoll_ctl(epoll_fd, EPOLL_CTL_ADD, client, &event);
      if (greet) greet(client);
    }
  }
}
