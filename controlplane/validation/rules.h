// The rules that several kinds share: host names, object names, addresses, exportTo, header names.
#pragma once
#include "controlplane/validation/schema.h"

namespace weft::validation {

bool is_dns_label(std::string_view text);  // DNS-1123: at most 63 of a-z, 0-9, '-'
bool is_dns_name(std::string_view text);   // labels between dots, at most 253
bool is_ip(std::string_view text);
bool is_cidr_or_ip(std::string_view text);
inline bool is_unix_address(std::string_view text) { return text.starts_with("unix://"); }
// "unix:///run/app.sock", or abstract "unix://@name". Reports at `at`.
void check_unix_address(const Reader& at, const std::string& text);
bool is_header_name(std::string_view text);  // a token of RFC 9110
bool decode_base64(std::string_view text, std::string& out);

// "*" , "*.name" or a name, in lower or upper case. Reports at `host`.
bool check_host(const Reader& host, const std::string& text, bool wildcard);
// "a.b" of a regular name, fully qualified for the namespace of the object.
std::string qualified(const Reader& at, const std::string& host);
// A gateway's name as "ns/name"; "mesh" stays.
std::string gateway_name(const Reader& at, const std::string& text);
// Checked exportTo. `nobody`: whether "~" may stand.
std::vector<std::string> export_to(const Reader& list, bool nobody);
void check_labels(const Reader& map);
std::optional<uint32_t> port_number(const Reader& number);

}  // namespace weft::validation
