// The numbers of RFC 9113: frame types, flags, error codes, settings, and how a frame's head is laid out.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft::http::http2 {

enum class FrameType : uint8_t {
  kData,
  kHeaders,
  kPriority,
  kRstStream,
  kSettings,
  kPushPromise,
  kPing,
  kGoAway,
  kWindowUpdate,
  kContinuation
};

namespace flag {
inline constexpr uint8_t kEndStream = 0x1, kAck = 0x1, kEndHeaders = 0x4, kPadded = 0x8, kPriority = 0x20;
}

namespace code {
inline constexpr uint32_t kNoError = 0, kProtocolError = 1, kInternalError = 2, kFlowControlError = 3, kStreamClosed = 5,
                          kFrameSizeError = 6, kRefusedStream = 7, kCancel = 8, kCompressionError = 9, kConnectError = 10,
                          kEnhanceYourCalm = 11;
}

namespace setting {
inline constexpr uint16_t kHeaderTableSize = 1, kEnablePush = 2, kMaxConcurrentStreams = 3, kInitialWindowSize = 4, kMaxFrameSize = 5,
                          kEnableConnectProtocol = 8, kNoRfc7540Priorities = 9;
}

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr size_t kFrameHeadSize = 9;
inline constexpr uint32_t kDefaultFrameSize = 16384;  // what we take, and the least that a peer takes
inline constexpr uint32_t kMostFrameSize = 0xffffff;
inline constexpr uint32_t kMostStream = 0x7fffffff;
inline constexpr uint32_t kMostWindow = 0x7fffffff;
inline constexpr uint32_t kDefaultWindow = 65535;

inline uint32_t get16(const char* at) { return static_cast<uint32_t>(static_cast<uint8_t>(at[0])) << 8 | static_cast<uint8_t>(at[1]); }
inline uint32_t get24(const char* at) { return get16(at) << 8 | static_cast<uint8_t>(at[2]); }
inline uint32_t get32(const char* at) { return get16(at) << 16 | get16(at + 2); }
inline char* put16(char* at, uint32_t value) {
  at[0] = static_cast<char>(value >> 8);
  at[1] = static_cast<char>(value);
  return at + 2;
}
inline char* put32(char* at, uint32_t value) { return put16(put16(at, value >> 16), value); }

struct FrameHead {
  uint32_t size = 0;  // of the payload
  FrameType type = FrameType::kData;
  uint8_t flags = 0;
  uint32_t stream = 0;

  bool has(uint8_t flag) const { return (flags & flag) != 0; }
  static FrameHead parse(const char* at) {
    return {get24(at), static_cast<FrameType>(at[3]), static_cast<uint8_t>(at[4]), get32(at + 5) & kMostStream};
  }
  char* write(char* at) const {
    at[0] = static_cast<char>(size >> 16);
    put16(at + 1, size);
    at[3] = static_cast<char>(type);
    at[4] = static_cast<char>(flags);
    return put32(at + 5, stream);
  }
};

}  // namespace weft::http::http2
