#include "proxy/admin/address.h"

#include "envoy/config/core/v3/address.pb.h"

#include <charconv>

namespace weft::admin {

void set_address(envoy::config::core::v3::Address& to, std::string_view text) {
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    to.mutable_pipe()->set_path(std::string(text));
    return;
  }
  std::string_view host = text.substr(0, colon), port_text = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  unsigned port = 0;
  std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  to.mutable_socket_address()->set_address(std::string(host));
  to.mutable_socket_address()->set_port_value(port);
}

}  // namespace weft::admin
