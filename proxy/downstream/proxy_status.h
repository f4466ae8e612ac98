// The header proxy-status (RFC 9209): what went wrong between this proxy and the host, as far as the response flags tell.
#pragma once
#include "common/http/head.h"
#include "proxy/config/values.h"
#include "proxy/format/request_info.h"

namespace weft::downstream {

// Adds it to an answer's head, behind what proxies beyond have said; nothing where nothing went wrong.
void tell_proxy_status(http::Head& head, const config::ProxyStatus& config, format::RequestInfo& info);

}  // namespace weft::downstream
