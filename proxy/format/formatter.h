// Envoy's format language, compiled once: "%REQ(:METHOD)% took %DURATION% ms" for access logs and for header values, and its
// JSON form. Immutable, shared by all threads.
//
//   Result<Formatter> f = Formatter::text("%REQ(x-user)%-%RESPONSE_CODE%");
//   f->append(out, info);
//
// Header values: {.omit_empty = true}, and no header where nothing came out (unless keep_empty_value). Access logs:
// {.escape = true}, so that one request stays one line whatever the peer sent.
#pragma once
#include "common/base/error.h"
#include "proxy/format/request_info.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weft::format {

struct Operation;

struct FormatOptions {
  bool omit_empty = false;  // a value that is not there prints nothing instead of "-"; in JSON its key is left out
  bool escape = false;      // text: escape what a peer chose (JSON always does)
  size_t max_value = 8192;  // longest value taken from a peer, when escaping
  bool sort_keys = true;    // JSON: as Envoy does
};

// The template of a JSON format: google.protobuf.Struct without the protobuf.
struct JsonTemplate {
  enum class Kind : unsigned char { kNull, kBool, kNumber, kFormat, kObject, kList };
  Kind kind = Kind::kNull;
  bool flag = false;
  double number = 0;
  std::string format;  // a kFormat: text with operators
  struct Member;
  std::vector<Member> members;  // a kObject's; a kList's without names
};
struct JsonTemplate::Member {
  std::string name;
  JsonTemplate value;
};

class Formatter {
 public:
  static Result<Formatter> text(std::string_view format, FormatOptions options = {});
  // One line per call, "\n" at its end. Errors begin with the key's path: "request.code: ...".
  static Result<Formatter> json(const JsonTemplate& object, FormatOptions options = {});
  Formatter(Formatter&&) noexcept;
  Formatter& operator=(Formatter&&) noexcept;
  ~Formatter();

  void append(std::string& out, const RequestInfo& info) const;
  // Nothing in it depends on the request.
  bool constant() const;

 private:
  struct Node;
  explicit Formatter(std::unique_ptr<const Node> root, FormatOptions options);
  static Result<std::unique_ptr<Node>> build(const JsonTemplate& value, const FormatOptions& options, const std::string& path);
  void append_text(std::string& out, const std::vector<Operation>& operations, const RequestInfo& info) const;
  bool append_node(std::string& out, const Node& node, const RequestInfo& info) const;
  std::unique_ptr<const Node> root_;
  FormatOptions options_;
};

// Envoy's default line for HTTP, with its newline.
std::string_view default_access_log_format();

}  // namespace weft::format
