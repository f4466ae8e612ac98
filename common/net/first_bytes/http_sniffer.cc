#include "common/net/first_bytes/http_sniffer.h"

#include <algorithm>

namespace weft::net {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

bool is_digit_or_letter(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_method_character(char c) { return is_digit_or_letter(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }

// A path, "*", an absolute target; of CONNECT, an authority.
bool is_target(std::string_view target, bool connect) {
  if (target.empty() || !std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < 0x7f; })) return false;
  if (connect || target.front() == '/' || target.front() == '*') return true;
  const size_t scheme = target.find("://");
  return scheme != std::string_view::npos && scheme > 0 && scheme + 3 < target.size() &&
         std::all_of(target.begin(), target.begin() + static_cast<std::ptrdiff_t>(scheme),
                     [](char c) { return is_digit_or_letter(c) || c == '+' || c == '-' || c == '.'; });
}

std::string_view next_word(std::string_view& line) {
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  const auto end = std::find_if(line.begin(), line.end(), is_blank);
  const std::string_view word = line.substr(0, static_cast<size_t>(end - line.begin()));
  line.remove_prefix(word.size());
  return word;
}

// A whole line without its end. HTTP/0.9 names no version.
Verdict judge_line(std::string_view line, std::string& protocol) {
  const std::string_view method = next_word(line), target = next_word(line), version = next_word(line);
  if (!next_word(line).empty() || !is_target(target, method == "CONNECT")) return Verdict::kNotIt;
  if (!version.empty()) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (version.size() != 8 || !version.starts_with("HTTP/") || !digit(version[5]) || version[6] != '.' || !digit(version[7]))
      return Verdict::kNotIt;
  }
  protocol = version == "HTTP/1.1" ? "http/1.1" : "http/1.0";
  return Verdict::kFound;
}

}  // namespace

Verdict sniff_http(std::string_view bytes, std::string& protocol) {
  const size_t common = std::min(bytes.size(), kPreface.size());
  if (bytes.substr(0, common) == kPreface.substr(0, common)) {
    if (common < kPreface.size()) return Verdict::kNeedMore;
    protocol = "h2c";
    return Verdict::kFound;
  }
  // What cannot be a method's beginning need not wait for the line's end. No method is as long as the bound.
  constexpr size_t kLongestMethod = 64;
  const std::string_view start = bytes.substr(0, kLongestMethod);
  const auto method_end = std::find_if_not(start.begin(), start.end(), is_method_character);
  if (method_end == start.begin()) return Verdict::kNotIt;
  if (method_end == start.end() ? start.size() == kLongestMethod : *method_end != ' ') return Verdict::kNotIt;
  const size_t end = bytes.substr(0, kMaxSniffedLine).find('\n');
  if (end == std::string_view::npos) return bytes.size() < kMaxSniffedLine ? Verdict::kNeedMore : Verdict::kNotIt;
  std::string_view line = bytes.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return judge_line(line, protocol);
}

}  // namespace weft::net
