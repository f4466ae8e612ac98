#include "proxy/routing/uri_template.h"

#include <algorithm>

namespace weft::routing {
namespace {

constexpr size_t kMostVariables = 5;
constexpr size_t kLongestName = 16;
// RFC 3986's pchar, but for "*", which in a template is the operator alone.
constexpr std::string_view kMarks = "-._~%!$&'()+,;:@=";
constexpr std::string_view kOneSegment = "[a-zA-Z0-9\\-._~%!$&'()+,;:@=*]+";
constexpr std::string_view kAnySegments = "[a-zA-Z0-9\\-._~%!$&'()+,;:@=*/]*";

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool literal_letter(char c) { return letter(c) || digit(c) || kMarks.find(c) != std::string_view::npos; }

bool is_literal(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), literal_letter); }

bool is_name(std::string_view text) {
  return !text.empty() && letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return letter(c) || digit(c) || c == '_'; });
}

// The front of `text` up to one of `ends` or its own end; what was there is taken away.
std::string_view take_until(std::string_view& text, std::string_view ends) {
  const std::string_view front = text.substr(0, text.find_first_of(ends));
  text.remove_prefix(front.size());
  return front;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : whole_(text), rest_(text) {}

  Result<UriTemplate> parse() {
    if (rest_.empty() || rest_.front() != '/') return bad("must begin with \"/\"");
    if (std::any_of(rest_.begin(), rest_.end(), [](char c) { return c <= ' ' || c >= 0x7f; }))
      return bad("has a character that is not printable");
    rest_.remove_prefix(1);
    regex_ = "/";
    while (!rest_.empty()) {
      if (Status status = segment(); !status) return status.error();
      if (rest_.empty()) break;
      regex_ += '/';
      rest_.remove_prefix(1);
    }
    UriTemplate out;
    out.variables = std::move(variables_);
    Result<Regex> compiled = Regex::compile(regex_);
    if (!compiled) return bad(compiled.error().detail);
    out.regex = std::move(*compiled);
    return out;
  }

 private:
  Error bad(const std::string& what) const { return invalid("the path template \"" + std::string(whole_) + "\" " + what); }

  // Up to the next "/": plain text, an operator with or without a plain end, or a variable with or without plain text around it.
  Status segment() {
    if (rest_.front() == '*') {
      if (Status status = operation(rest_); !status) return status;
      const size_t before = regex_.size();
      if (Status status = suffix(); !status) return status;
      if (regex_.size() != before && !rest_.empty()) return bad("has a \"/\" behind an operator with an end of its own");
      return {};
    }
    const std::string_view text = take_until(rest_, "/{");
    if (!text.empty() || rest_.empty() || rest_.front() == '/') {
      if (!is_literal(text)) return bad("has \"" + std::string(text) + "\", which is neither plain nor \"*\", \"**\" nor \"{name}\"");
      append_literal(text);
    }
    if (rest_.empty() || rest_.front() == '/') return {};
    if (Status status = variable(); !status) return status;
    return suffix();
  }

  Status suffix() {
    const std::string_view text = take_until(rest_, "/");
    if (text.empty()) return {};
    if (!is_literal(text)) return bad("has \"" + std::string(text) + "\" where a plain end of the segment is expected");
    append_literal(text);
    return {};
  }

  Status operation(std::string_view& from) {
    if (any_) return bad("has an operator behind \"**\", which must be the last of them");
    any_ = from.starts_with("**");
    regex_ += any_ ? kAnySegments : kOneSegment;
    from.remove_prefix(any_ ? 2 : 1);
    return {};
  }

  Status variable() {
    rest_.remove_prefix(1);
    const size_t close = rest_.find('}');
    if (close == std::string_view::npos) return bad("has a \"{\" without \"}\"");
    std::string_view inside = rest_.substr(0, close);
    rest_.remove_prefix(close + 1);
    const size_t equals = inside.find('=');
    const std::string name(inside.substr(0, equals));
    if (!is_name(name)) return bad("has a variable called \"" + name + "\": letters, digits and \"_\" make a name, the first a letter");
    if (name.size() > kLongestName) return bad("has a variable called \"" + name + "\": a name has at most 16 letters");
    if (std::find(variables_.begin(), variables_.end(), name) != variables_.end()) return bad("has the variable \"" + name + "\" twice");
    if (variables_.size() == kMostVariables) return bad("has more than five variables");
    variables_.push_back(name);
    regex_ += '(';
    if (Status status = pattern(equals == std::string_view::npos ? std::string_view("*") : inside.substr(equals + 1)); !status)
      return status;
    regex_ += ')';
    return {};
  }

  // What stands behind a variable's "=".
  Status pattern(std::string_view text) {
    if (text.empty()) return bad("has a variable that is empty behind its \"=\"");
    while (true) {
      if (text.starts_with('*')) {
        if (Status status = operation(text); !status) return status;
      } else {
        const std::string_view plain = take_until(text, "/");
        if (!is_literal(plain)) return bad("has \"" + std::string(plain) + "\" inside a variable");
        append_literal(plain);
      }
      if (text.empty()) return {};
      if (text.front() != '/') return bad("has \"" + std::string(text) + "\" inside a variable, where \"/\" is expected");
      regex_ += '/';
      text.remove_prefix(1);
    }
  }

  void append_literal(std::string_view text) {
    for (const char c : text) {
      if (c == '.' || c == '$' || c == '(' || c == ')' || c == '+') regex_ += '\\';
      regex_ += c;
    }
  }

  std::string_view whole_, rest_;
  std::string regex_;
  std::vector<std::string> variables_;
  bool any_ = false;
};

}  // namespace

Result<UriTemplate> UriTemplate::parse(std::string_view text) { return Parser(text).parse(); }

Result<RegexRewrite> uri_template_rewrite(const UriTemplate& from, std::string_view rewrite) {
  auto bad = [&](const std::string& what) { return invalid("the path rewrite \"" + std::string(rewrite) + "\" " + what); };
  if (!rewrite.starts_with('/')) return bad("must begin with \"/\"");
  if (rewrite.find("//") != std::string_view::npos) return bad("must not have \"//\"");
  std::string substitution;
  for (std::string_view rest = rewrite; !rest.empty();) {
    if (rest.front() != '{') {
      const char c = rest.front();
      if (!literal_letter(c) && c != '/' && c != '*')
        return bad("has \"" + std::string(1, c) + "\", which is neither plain nor part of \"{name}\"");
      substitution += c;
      rest.remove_prefix(1);
      continue;
    }
    const size_t close = rest.find('}');
    if (close == std::string_view::npos) return bad("has a \"{\" without \"}\"");
    const std::string name(rest.substr(1, close - 1));
    const auto found = std::find(from.variables.begin(), from.variables.end(), name);
    if (found == from.variables.end()) return bad("names \"" + name + "\", which the route's path_template does not");
    substitution += '\\' + std::to_string(found - from.variables.begin() + 1);
    rest.remove_prefix(close + 1);
  }
  return RegexRewrite::compile("^" + from.regex.text() + "$", substitution);
}

}  // namespace weft::routing
