// links: common_http
// Any bytes as the answer to one HTTP/1 request, which may ask for a tunnel, whole and cut: the same answer must come out, and no memory
// stay.
#include "http_fuzz_peer.h"

#include <memory>
#include <string_view>

namespace {
using namespace weft;
using namespace weft::http;

class Connection final : public fuzz::Events {
 public:
  std::string ask(std::string_view method, bool upgrade, std::string_view bytes, uint32_t seed) {
    std::string result;
    {
      Http1Options options;
      options.max_headers_kib = 8;
      options.max_headers_count = 20;
      options.enable_trailers = true;
      fuzz::Receiver receiver(pool_);
      auto codec = make_http1_client(*this, options, pool_);
      Stream& stream = codec->open(receiver);
      Head head(pool_);
      head.set_method(method);
      head.set_path("/");
      head.set_authority("x");
      if (upgrade) set_upgrade(head, "websocket");
      head.ask_for_tunnel(upgrade || method == "CONNECT");
      stream.send_head(head, !head.asks_for_tunnel());
      ReadBuffer in(pool_);
      bool failed = false;
      while (!bytes.empty()) {
        const size_t n = fuzz::piece(seed, bytes.size());
        in.append(bytes.substr(0, n));
        bytes.remove_prefix(n);
        failed |= !codec->receive(in);
        if (in.empty()) in.release();
      }
      const bool reusable = codec->available_streams() == 1;
      if (reusable && (failed || receiver.gone || !receiver.ended)) fuzz::broken("only a whole answer leaves the connection usable");
      codec->on_peer_ended();
      codec->on_connection_lost();
      if (!receiver.ended && !receiver.gone) fuzz::broken("every stream ends");
      result = receiver.log + receiver.body + (reusable ? " reusable" : "") + (failed ? " failed" : "");
    }
    if (pool_.in_use() != 0) fuzz::broken("memory is given back");
    return result;
  }

 private:
  SlabPool pool_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view method = data[0] % 4 == 0 ? "HEAD" : data[0] % 4 == 1 ? "CONNECT" : "GET";
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const bool upgrade = data[0] % 4 == 2;
  const std::string whole = Connection().ask(method, upgrade, bytes, 0);
  const std::string cut = Connection().ask(method, upgrade, bytes, 1 + data[1]);
  if (whole != cut) fuzz::broken("how bytes are cut means nothing", whole + "\n--- cut ---\n" + cut);
  return 0;
}
