// xds.type.matcher.v3.Matcher into routing::MatchTree. What an action is, the extension says that has the matcher.
#pragma once
#include "proxy/filters/where.h"
#include "proxy/routing/match_tree.h"

#include <functional>
#include <memory>

namespace google::protobuf {
class Any;
}
namespace xds::type::matcher::v3 {
class Matcher;
}

namespace weft::filters {

struct MatchTreeBuild {
  // What there will be to look at when the matcher is asked; an input of something else is refused.
  bool request_head = false, response_head = false;
  // The action of a typed_config; null after a complaint.
  std::function<std::shared_ptr<const routing::MatchAction>(const google::protobuf::Any& config, const Where& where)> action;
};

// Null after a complaint.
std::shared_ptr<const routing::MatchTree> match_tree(const xds::type::matcher::v3::Matcher& from, const MatchTreeBuild& build,
                                                     const Where& where);

}  // namespace weft::filters
