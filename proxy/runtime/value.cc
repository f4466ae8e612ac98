#include "proxy/runtime/value.h"

#include "common/base/yaml.h"

#include <charconv>
#include <cmath>

namespace weft::runtime {

Setting number_setting(double value, std::string text) {
  Setting out;
  out.text = std::move(text);
  out.real = value;
  if (value < 0 || value != std::floor(value) || value >= 18446744073709551616.0) return out;
  out.number = static_cast<uint64_t>(value);
  out.flag = *out.number != 0;
  out.share = *out.number > 100 ? Share{100, 100} : Share{static_cast<uint32_t>(*out.number), 100};
  return out;
}

Setting flag_setting(bool value) {
  Setting out;
  out.text = value ? "true" : "false";
  out.flag = value;
  return out;
}

Setting share_setting(std::optional<Share> share, std::string text) {
  Setting out;
  out.text = std::move(text);
  out.share = share;
  return out;
}

Setting text_setting(std::string text) {
  size_t first = text.find_first_not_of(" \t\r\n");
  const size_t last = text.find_last_not_of(" \t\r\n");
  if (first != std::string::npos) {
    if (text[first] == '+' && first < last && text[first + 1] != '-') ++first;
    double value = 0;
    const auto [end, error] = std::from_chars(text.data() + first, text.data() + last + 1, value);
    if (error == std::errc() && end == text.data() + last + 1 && std::isfinite(value)) return number_setting(value, std::move(text));
  }
  Setting out;
  out.text = std::move(text);
  return out;
}

std::optional<uint32_t> denominator(std::string_view name) {
  if (name == "HUNDRED") return 100;
  if (name == "TEN_THOUSAND") return 10'000;
  if (name == "MILLION") return 1'000'000;
  return {};
}

Setting read_setting(std::string text) {
  std::vector<yaml::Document> documents;
  Diagnostic ignored;
  if (!yaml::parse(text, "", documents, ignored) || documents.size() != 1) return text_setting(std::move(text));
  const yaml::Node& root = documents[0].root;
  bool flag = false;
  if (root.is_scalar() && !root.quoted && yaml::to_bool(root, flag)) {
    Setting out = flag_setting(flag);
    out.text = std::move(text);
    return out;
  }
  if (root.is_map()) {
    Share share;
    bool good = true;
    for (const yaml::Entry& entry : root.entries) {
      long long number = 0;
      if (entry.key == "numerator" && yaml::to_int(entry.value, number) && number >= 0 && number <= UINT32_MAX) {
        share.numerator = static_cast<uint32_t>(number);
      } else if (const auto of = denominator(entry.value.text); entry.key == "denominator" && of) {
        share.denominator = *of;
      } else {
        good = false;
      }
    }
    return share_setting(good ? std::optional<Share>(share) : std::nullopt, std::move(text));
  }
  return text_setting(std::move(text));
}

void Value::set(const Setting* setting) {
  const bool has_share = setting && setting->share;
  number_.store(setting && setting->number ? *setting->number : kNone, std::memory_order_relaxed);
  real_.store(setting && setting->real ? *setting->real : std::numeric_limits<double>::quiet_NaN(), std::memory_order_relaxed);
  flag_.store(static_cast<int8_t>(setting && setting->flag ? (*setting->flag ? 1 : 0) : -1), std::memory_order_relaxed);
  share_.store(has_share ? uint64_t{setting->share->numerator} << 32 | setting->share->denominator : kNone, std::memory_order_relaxed);
}

}  // namespace weft::runtime
