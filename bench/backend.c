// The server behind every proxy of the bench: HTTP/1.1, keep-alive, one fixed answer per request, or the request's body again. It does
// the least that is correct for requests with Content-Length, so that its share of a core stays small and equal for all.
//   backend PORT BODY_BYTES|echo
#define _GNU_SOURCE
#include "listen.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { kMostHeld = 65536 };

struct connection {
  char* held;   // the beginning of a request, NULL for none
  size_t used;  // of it
  size_t skip;  // what is left of a body that nobody looks at; the answer is due behind it
};
static struct connection connections[kMaxFds];
static char* answer;
static size_t answer_size;
static int echoes;

static void give(int fd, const char* data, size_t size) {
  while (size > 0) {
    ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
    if (n <= 0) return;
    data += n;
    size -= (size_t)n;
  }
}

static void echo(int fd, const char* body, size_t size) {
  static char out[kMostHeld + 256];
  const int head = snprintf(out, 256, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %zu\r\n\r\n", size);
  memcpy(out + head, body, size);
  give(fd, out, (size_t)head + size);
}

static size_t content_length(const char* head, const char* end) {
  if (head[0] == 'G') return 0;  // GET: most of the bench
  for (const char* line = head; line < end; ++line) {
    if (strncasecmp(line, "content-length:", 15) == 0) return (size_t)atol(line + 15);
    line = memchr(line, '\n', (size_t)(end - line));
    if (!line) break;
  }
  return 0;
}

// Answers every request that is whole in these bytes; gives how many of them were taken.
static size_t serve(int fd, const char* data, size_t size) {
  struct connection* self = &connections[fd];
  size_t at = 0;
  while (at < size) {
    if (self->skip > 0) {
      const size_t part = self->skip < size - at ? self->skip : size - at;
      self->skip -= part;
      at += part;
      if (self->skip == 0) give(fd, answer, answer_size);
      continue;
    }
    const char* end = memmem(data + at, size - at, "\r\n\r\n", 4);
    if (!end) break;
    const size_t head = (size_t)(end - data) + 4 - at, body = content_length(data + at, end + 2);
    if (echoes) {
      if (size - at < head + body) break;
      echo(fd, data + at + head, body);
      at += head + body;
    } else {
      at += head;
      self->skip = body;
      if (body == 0) give(fd, answer, answer_size);
    }
  }
  return at;
}

static void forget(int fd) {
  free(connections[fd].held);
  connections[fd] = (struct connection){0};
  close(fd);
}

static void take(int fd) {
  static char fresh[kMostHeld];
  struct connection* self = &connections[fd];
  char* data = self->held ? self->held : fresh;
  const ssize_t got = recv(fd, data + self->used, kMostHeld - self->used, MSG_DONTWAIT);
  if (got <= 0) {
    if (got == 0) forget(fd);
    return;
  }
  const size_t size = self->used + (size_t)got, taken = serve(fd, data, size), left = size - taken;
  if (left == 0) {
    free(self->held);
    self->held = NULL;
  } else {
    if (!self->held) self->held = malloc(kMostHeld);
    memmove(self->held, data + taken, left);
  }
  self->used = left;
}

int main(int argc, char** argv) {
  if (argc != 3) return fprintf(stderr, "usage: backend PORT BODY_BYTES|echo\n"), 2;
  echoes = strcmp(argv[2], "echo") == 0;
  const size_t body = (size_t)atol(argv[2]);
  answer = malloc(body + 256);
  const int head = snprintf(answer, 256, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %zu\r\n\r\n", body);
  memset(answer + head, 'x', body);
  answer_size = (size_t)head + body;
  return serve_on(argv[1], NULL, take);
}
