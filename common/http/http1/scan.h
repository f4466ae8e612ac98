// Finds the end of a line: the first control byte (CR, LF, NUL, ... but not tab), 32 or 16 bytes at a time. One scan tells
// both where a line ends and that nothing forbidden stands in it.
#pragma once
#include <cstdint>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace weft::http::http1 {

inline bool is_control(char c) { return (static_cast<uint8_t>(c) < 0x20 && c != '\t') || c == 0x7f; }

inline const char* find_control(const char* at, const char* end) {
#if defined(__AVX2__)
  for (; end - at >= 32; at += 32) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(x, _mm256_set1_epi8(0x1f)), x);
    const __m256i bad = _mm256_or_si256(_mm256_andnot_si256(_mm256_cmpeq_epi8(x, _mm256_set1_epi8('\t')), low),
                                        _mm256_cmpeq_epi8(x, _mm256_set1_epi8(0x7f)));
    if (const auto mask = static_cast<unsigned>(_mm256_movemask_epi8(bad))) return at + __builtin_ctz(mask);
  }
#endif
#if defined(__SSE2__)
  for (; end - at >= 16; at += 16) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x);
    const __m128i bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('\t')), low), _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f)));
    if (const auto mask = static_cast<unsigned>(_mm_movemask_epi8(bad))) return at + __builtin_ctz(mask);
  }
#endif
  while (at < end && !is_control(*at)) ++at;
  return at;
}

}  // namespace weft::http::http1
