#include "proxy/filters/match_tree/config.h"

#include "envoy/type/matcher/v3/http_inputs.pb.h"
#include "envoy/type/matcher/v3/status_code_input.pb.h"
#include "envoy/type/matcher/v3/string.pb.h"
#include "proxy/filters/matching/config.h"
#include "xds/type/matcher/v3/matcher.pb.h"

#include <algorithm>
#include <string>

namespace weft::filters {
namespace {

namespace inputs = envoy::type::matcher::v3;
using From = xds::type::matcher::v3::Matcher;
using routing::MatchInput;
using routing::MatchPredicate;
using routing::MatchTree;

constexpr int kDeepestTree = 20;

class TreeBuilder {
 public:
  explicit TreeBuilder(const MatchTreeBuild& build) : build_(build) {}

  std::shared_ptr<const MatchTree> tree(const From& from, const Where& where, int depth) {
    if (depth > kDeepestTree) return where.fail("nested too deep"), nullptr;
    auto to = std::make_shared<MatchTree>();
    if (from.has_matcher_list()) {
      const Where at(where, "matcher_list");
      for (int i = 0; i < from.matcher_list().matchers_size(); ++i) {
        const auto& one = from.matcher_list().matchers(i);
        const Where item(at, "matchers", i);
        to->list.push_back(
            {predicate(one.predicate(), Where(item, "predicate"), depth + 1), branch(one.on_match(), Where(item, "on_match"), depth + 1)});
      }
    } else if (from.has_matcher_tree()) {
      const From::MatcherTree& map = from.matcher_tree();
      const Where at(where, "matcher_tree");
      const bool exact = map.has_exact_match_map();
      to->kind = exact ? MatchTree::Kind::kExactMap : MatchTree::Kind::kPrefixMap;
      to->input = input(map.input().typed_config(), Where(at, "input"));
      const Where values(at, exact ? "exact_match_map" : "prefix_match_map");
      for (const auto& [value, then] : (exact ? map.exact_match_map() : map.prefix_match_map()).map()) {
        const std::string name = "map[\"" + value + "\"]";
        to->values.emplace(value, branch(then, Where(values, name), depth + 1));
      }
    }
    if (from.has_on_no_match()) to->otherwise = branch(from.on_no_match(), Where(where, "on_no_match"), depth + 1);
    return to;
  }

 private:
  MatchTree::Branch branch(const From::OnMatch& from, const Where& where, int depth) {
    if (from.has_matcher()) return {tree(from.matcher(), Where(where, "matcher"), depth), nullptr};
    const Where action(where, "action"), config(action, "typed_config");
    return {nullptr, build_.action(from.action().typed_config(), config)};
  }

  MatchPredicate predicate(const From::MatcherList::Predicate& from, const Where& where, int depth) {
    using Kind = MatchPredicate::Kind;
    MatchPredicate to;
    if (depth > kDeepestTree) return where.fail("nested too deep"), to;
    auto all_of_list = [&](Kind kind, const auto& list, std::string_view field) {
      to.kind = kind;
      const Where at(where, field);
      for (int i = 0; i < list.predicate_size(); ++i) to.of.push_back(predicate(list.predicate(i), Where(at, "predicate", i), depth + 1));
    };
    if (from.has_or_matcher()) {
      all_of_list(Kind::kAny, from.or_matcher(), "or_matcher");
    } else if (from.has_and_matcher()) {
      all_of_list(Kind::kAll, from.and_matcher(), "and_matcher");
    } else if (from.has_not_matcher()) {
      to.kind = Kind::kNot;
      to.of.push_back(predicate(from.not_matcher(), Where(where, "not_matcher"), depth + 1));
    } else {
      const Where at(where, "single_predicate");
      to.input = input(from.single_predicate().input().typed_config(), Where(at, "input"));
      // The same message on the wire as the one that string_matcher() reads.
      inputs::StringMatcher value;
      value.ParseFromString(from.single_predicate().value_match().SerializeAsString());
      if (auto matcher = string_matcher(value, Where(at, "value_match"))) to.value = std::move(*matcher);
    }
    return to;
  }

  MatchInput input(const google::protobuf::Any& from, const Where& where) {
    using Kind = MatchInput::Kind;
    inputs::HttpRequestHeaderMatchInput request;
    inputs::HttpResponseHeaderMatchInput response;
    MatchInput to;
    if (from.UnpackTo(&request)) {
      to = {Kind::kRequestHeader, request.header_name()};
    } else if (from.UnpackTo(&response)) {
      to = {Kind::kResponseHeader, response.header_name()};
    } else {
      to.kind = from.Is<inputs::HttpResponseStatusCodeClassMatchInput>() ? Kind::kStatusClass : Kind::kStatus;
    }
    if (!(to.kind == Kind::kRequestHeader ? build_.request_head : build_.response_head))
      Where(where, "typed_config").unsupported("this input is not supported here by this version");
    std::transform(to.name.begin(), to.name.end(), to.name.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    return to;
  }

  const MatchTreeBuild& build_;
};

}  // namespace

std::shared_ptr<const MatchTree> match_tree(const From& from, const MatchTreeBuild& build, const Where& where) {
  return TreeBuilder(build).tree(from, where, 0);
}

}  // namespace weft::filters
