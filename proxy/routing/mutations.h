// Header lines that the configuration adds and removes: per weighted cluster, route, virtual host and route configuration.
#pragma once
#include "common/base/error.h"
#include "common/http/head.h"
#include "proxy/routing/matchers.h"

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weft::format {
class Formatter;
struct RequestInfo;
}  // namespace weft::format

namespace weft::routing {

// config.core.v3.HeaderValueOption.
class HeaderToAdd {
 public:
  enum class Append : uint8_t { kAppendIfExistsOrAdd, kAddIfAbsent, kOverwriteIfExistsOrAdd, kOverwriteIfExists };
  // `value` may hold %OPERATORS%. Refuses ":..." and "host", as Envoy does: host_rewrite and prefix_rewrite are for these.
  static Result<HeaderToAdd> make(std::string name, std::string_view value, Append append = Append::kAppendIfExistsOrAdd,
                                  bool keep_empty_value = false);
  void apply(http::Head& head, const format::RequestInfo& info) const;
  const std::string& name() const { return name_; }

 private:
  std::string name_;  // in lower case
  http::HeaderId id_ = http::HeaderId::kOther;
  Append append_ = Append::kAppendIfExistsOrAdd;
  bool keep_empty_value_ = false;
  std::string literal_;                                 // when there is no operator
  std::shared_ptr<const format::Formatter> formatter_;  // else
};

// Removes come before adds.
struct HeaderChanges {
  std::vector<HeaderToAdd> add;
  std::vector<std::string> remove;  // in lower case; see check_removable
  bool empty() const { return add.empty() && remove.empty(); }
  void apply(http::Head& head, const format::RequestInfo& info) const;
};

struct HeaderMutations {
  HeaderChanges request, response;
};

// config.common.mutation_rules.v3.HeaderMutation: one step of several, done in their order.
struct HeaderToRemove {
  std::string name;  // in lower case
};
struct HeadersToRemove {  // never the host
  StringMatcher names;
};
using HeaderStep = std::variant<HeaderToAdd, HeaderToRemove, HeadersToRemove>;
void apply_steps(const std::vector<HeaderStep>& steps, http::Head& head, const format::RequestInfo& info);

// Envoy refuses to remove pseudo-headers and host: ":-prefixed or host headers may not be removed".
Status check_removable(std::string_view name);

}  // namespace weft::routing
