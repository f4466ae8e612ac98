// envoy.filters.http.header_to_metadata: notes values of headers and cookies as dynamic metadata, for routes, logs and other
// filters to read. Rules of the request at its head, rules of the response at its.
#pragma once
#include "common/observe/metrics.h"
#include "proxy/filters/filter.h"
#include "proxy/filters/table.h"
#include "proxy/format/metadata.h"
#include "proxy/routing/regex.h"
#include "proxy/routing/route.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft::filters {

// What is noted when the header is there, or when it is not.
struct MetadataNote {
  enum class Type : uint8_t { kString, kNumber, kProtobufValue };
  std::string name_space, key;
  std::string value;              // not empty: in place of the header's
  routing::RegexRewrite rewrite;  // of the header's value
  Type type = Type::kString;
  bool base64 = false;
  // For kProtobufValue: reads a serialised google.protobuf.Value.
  std::optional<format::MetadataValue> (*parse)(const std::string& bytes) = nullptr;

  // Nothing: there is no value, or none of that type, or it is too long. `count(stat)` is told what went wrong.
  template <class Count>
  std::optional<format::MetadataValue> make(std::string_view found, Count count) const;
};

struct MetadataRule {
  std::string header;  // in lower case; or
  std::string cookie;
  std::optional<MetadataNote> present, missing;
  bool remove = false;
};

struct HeaderToMetadataRules {
  std::vector<MetadataRule> request, response;
  std::shared_ptr<observe::Scope> stats;  // null: no stat_prefix
};
struct HeaderToMetadataRoute final : routing::FilterConfig {
  HeaderToMetadataRules rules;
};

class HeaderToMetadata final : public HttpFilter {
 public:
  static constexpr unsigned kHooks = kOnRequestHead | kOnResponseHead;
  HeaderToMetadata(const HeaderToMetadataRules& rules, const std::string& name) : rules_(rules), name_(name) {}
  Verdict on_request_head(FilterContext& context, bool end) override;
  Verdict on_response_head(FilterContext& context, bool end) override;

 private:
  // Which of a side's stats are meant: the response's follow the request's.
  struct Side;
  const HeaderToMetadataRules& rules(FilterContext& context) const;
  void apply(FilterContext& context, const MetadataRule& rule, http::Head& head, const HeaderToMetadataRules& of, const Side& side) const;
  const HeaderToMetadataRules& rules_;
  const std::string& name_;
};

HttpFilterType header_to_metadata_type();

}  // namespace weft::filters
