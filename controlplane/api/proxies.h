// Connected proxies by the words that people use for them.
#pragma once
#include "controlplane/api/http_server.h"
#include "controlplane/xds/ack_status.h"

#include <variant>

namespace weft::api {

// By node id, else by "name.namespace", else by name where only one proxy has it; otherwise the answer that says so.
std::variant<xds::ProxyStatus, Reply> find_proxy(const xds::AckStatus& acks, const std::string& word);

}  // namespace weft::api
