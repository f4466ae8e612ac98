// config.route.v3.RedirectAction, of routes and of filters.
#pragma once
#include "proxy/filters/where.h"
#include "proxy/routing/route.h"

#include <memory>

namespace envoy::config::route::v3 {
class RedirectAction;
}

namespace weft::filters {

std::shared_ptr<const routing::Redirect> redirect(const envoy::config::route::v3::RedirectAction& from, const Where& where);

}  // namespace weft::filters
