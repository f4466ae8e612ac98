// Another HPACK, nghttp2's, to hold ours against.
#pragma once
#include "common/http/http2/hpack_decoder.h"

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::http {

using Fields = std::vector<std::pair<std::string, std::string>>;

class OracleDecoder {
 public:
  OracleDecoder() { nghttp2_hd_inflate_new(&inflater_); }
  ~OracleDecoder() { nghttp2_hd_inflate_del(inflater_); }
  OracleDecoder(const OracleDecoder&) = delete;
  OracleDecoder& operator=(const OracleDecoder&) = delete;

  void set_limit(uint32_t limit) { nghttp2_hd_inflate_change_table_size(inflater_, limit); }
  // Nothing: it is no header block.
  std::optional<Fields> decode(std::string_view block) {
    Fields fields;
    const auto* at = reinterpret_cast<const uint8_t*>(block.data());
    size_t left = block.size();
    for (;;) {
      nghttp2_nv field;
      int flags = 0;
      const ssize_t n = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, at, left, 1);
      if (n < 0) return std::nullopt;
      at += n;
      left -= static_cast<size_t>(n);
      if (flags & NGHTTP2_HD_INFLATE_EMIT)
        fields.emplace_back(std::string(reinterpret_cast<char*>(field.name), field.namelen),
                            std::string(reinterpret_cast<char*>(field.value), field.valuelen));
      if (flags & NGHTTP2_HD_INFLATE_FINAL) break;
      if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && left == 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return fields;
  }

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
};

class OracleEncoder {
 public:
  explicit OracleEncoder(size_t most = 4096) { nghttp2_hd_deflate_new(&deflater_, most); }
  ~OracleEncoder() { nghttp2_hd_deflate_del(deflater_); }
  OracleEncoder(const OracleEncoder&) = delete;
  OracleEncoder& operator=(const OracleEncoder&) = delete;

  void set_limit(uint32_t limit) { nghttp2_hd_deflate_change_table_size(deflater_, limit); }
  std::string encode(const Fields& fields) {
    std::vector<nghttp2_nv> lines;
    for (const auto& [name, value] : fields) {
      lines.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                       reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    std::string block(nghttp2_hd_deflate_bound(deflater_, lines.data(), lines.size()), '\0');
    const ssize_t n = nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<uint8_t*>(block.data()), block.size(), lines.data(), lines.size());
    block.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return block;
  }

 private:
  nghttp2_hd_deflater* deflater_ = nullptr;
};

// Ours in the same form.
inline std::optional<Fields> decode(http2::HpackDecoder& decoder, std::string_view block) {
  Fields fields;
  http2::Field field{};
  decoder.begin(block);
  for (;;) {
    const auto step = decoder.next(field);
    if (step == http2::HpackDecoder::Step::kError) return std::nullopt;
    if (step == http2::HpackDecoder::Step::kEnd) break;
    fields.emplace_back(field.name, field.value);
  }
  decoder.finish();
  return fields;
}

}  // namespace weft::http
