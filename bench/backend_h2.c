// The server behind the proxies of the bench that speak HTTP/2 to it: prior knowledge, on nghttp2, one thread. Each request is answered
// with 200 and a fixed body; one of content type application/grpc with trailers, as a unary call is.
//   backend_h2 PORT BODY_BYTES
#define _GNU_SOURCE
#include "listen.h"

#include <nghttp2/nghttp2.h>
#include <string.h>
#include <unistd.h>

enum { kWindow = 1 << 20 };
static nghttp2_session* sessions[kMaxFds];
static size_t body_size;

// What is known of a stream fits into its user data: bit 0, it is gRPC; the rest, how much of the answer is sent.
#define STREAM(session, id) ((size_t)nghttp2_session_get_stream_user_data(session, id))

#define NV(name, value) \
  { (uint8_t*)(name), (uint8_t*)(value), sizeof(name) - 1, strlen(value), NGHTTP2_NV_FLAG_NO_COPY_NAME }

static ssize_t read_body(nghttp2_session* session, int32_t id, uint8_t* out, size_t room, uint32_t* flags, nghttp2_data_source* source,
                         void* user) {
  (void)source, (void)user;
  size_t state = STREAM(session, id), sent = state >> 1, part = body_size - sent < room ? body_size - sent : room;
  memset(out, sent == 0 ? 0 : 'x', part);
  if (sent == 0 && part >= 5) {  // gRPC's prefix: not compressed, the length
    const uint32_t length = htonl((uint32_t)(body_size - 5));
    memcpy(out + 1, &length, 4);
  }
  nghttp2_session_set_stream_user_data(session, id, (void*)(((sent + part) << 1) | (state & 1)));
  if (sent + part == body_size) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (state & 1) {
      nghttp2_nv trailer = NV("grpc-status", "0");
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      nghttp2_submit_trailer(session, id, &trailer, 1);
    }
  }
  return (ssize_t)part;
}

static int on_header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name, size_t name_size, const uint8_t* value,
                     size_t value_size, uint8_t flags, void* user) {
  (void)flags, (void)user;
  if (name_size == 12 && memcmp(name, "content-type", 12) == 0 && value_size >= 16 && memcmp(value, "application/grpc", 16) == 0)
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, (void*)1);
  return 0;
}

static int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
  (void)user;
  if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
  char length[24];
  snprintf(length, sizeof length, "%zu", body_size);
  const int grpc = STREAM(session, frame->hd.stream_id) & 1;
  nghttp2_nv head[] = {NV(":status", "200"), NV("content-type", grpc ? "application/grpc" : "text/plain"), NV("content-length", length)};
  nghttp2_data_provider provider = {.read_callback = read_body};
  return nghttp2_submit_response(session, frame->hd.stream_id, head, grpc ? 2 : 3, &provider);
}

static nghttp2_session* begin(void) {
  static nghttp2_session_callbacks* callbacks;
  if (!callbacks) {
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  }
  nghttp2_session* session;
  nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000}, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindow}};
  if (nghttp2_session_server_new(&session, callbacks, NULL) != 0) abort();
  nghttp2_submit_settings(session, 0, settings, 2);
  nghttp2_session_set_local_window_size(session, 0, 0, 16 * kWindow);
  return session;
}

// Everything that is to be sent, in as few writes as it fits into.
static int flush(int fd, nghttp2_session* session) {
  static uint8_t out[1 << 17];
  size_t used = 0;
  for (;;) {
    const uint8_t* data;
    const ssize_t size = nghttp2_session_mem_send(session, &data);
    if (size < 0) return -1;
    if (size == 0 || used + (size_t)size > sizeof out) {
      for (size_t sent = 0; sent < used;) {
        const ssize_t n = send(fd, out + sent, used - sent, MSG_NOSIGNAL);
        if (n <= 0) return -1;
        sent += (size_t)n;
      }
      used = 0;
    }
    if (size == 0) return 0;
    memcpy(out + used, data, (size_t)size);
    used += (size_t)size;
  }
}

static void take(int fd) {
  static uint8_t in[1 << 17];
  const ssize_t got = recv(fd, in, sizeof in, MSG_DONTWAIT);
  if (got < 0) return;
  if (got == 0 || nghttp2_session_mem_recv(sessions[fd], in, (size_t)got) < 0 || flush(fd, sessions[fd]) != 0) {
    nghttp2_session_del(sessions[fd]);
    sessions[fd] = NULL;
    close(fd);
  }
}

static void greet(int fd) {
  sessions[fd] = begin();
  flush(fd, sessions[fd]);
}

int main(int argc, char** argv) {
  if (argc != 3) return fprintf(stderr, "usage: backend_h2 PORT BODY_BYTES\n"), 2;
  body_size = (size_t)atol(argv[2]);
  return serve_on(argv[1], greet, take);
}
