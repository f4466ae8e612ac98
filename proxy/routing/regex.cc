#include "proxy/routing/regex.h"

#include <re2/re2.h>

namespace weft::routing {

Result<Regex> Regex::compile(std::string_view text) {
  RE2::Options options;
  options.set_log_errors(false);
  auto compiled = std::make_shared<const RE2>(re2::StringPiece(text.data(), text.size()), options);
  if (!compiled->ok()) return invalid(compiled->error());
  Regex regex;
  regex.compiled_ = std::move(compiled);
  return regex;
}

bool Regex::full_match(std::string_view subject) const {
  return compiled_ && RE2::FullMatch(re2::StringPiece(subject.data(), subject.size()), *compiled_);
}

const std::string& Regex::text() const {
  static const std::string empty;
  return compiled_ ? compiled_->pattern() : empty;
}

Result<RegexRewrite> RegexRewrite::compile(std::string_view pattern, std::string_view substitution) {
  Result<Regex> regex = Regex::compile(pattern);
  if (!regex) return regex.error();
  std::string error;
  if (!regex->compiled_->CheckRewriteString(re2::StringPiece(substitution.data(), substitution.size()), &error)) return invalid(error);
  RegexRewrite rewrite;
  rewrite.regex_ = std::move(*regex);
  rewrite.substitution_ = substitution;
  return rewrite;
}

std::string RegexRewrite::apply(std::string_view subject) const {
  std::string text(subject);
  RE2::GlobalReplace(&text, *regex_.compiled_, substitution_);
  return text;
}

}  // namespace weft::routing
