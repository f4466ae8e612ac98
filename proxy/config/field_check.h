// What is set in a message against the tables of implemented fields: whatever is not in its table is refused by its full path
// and name before a builder sees it, and the rules that Envoy applies to the implemented fields (required, lengths, ranges,
// defined values) are applied too. Presence counts; for scalars without presence, another value than the default.
#pragma once
#include "common/base/diagnostic.h"
#include "proxy/filters/field_table.h"

#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Message;
}

namespace weft::config {

// Appends a problem for every offence in `message`; paths begin with `path`. False if there was one.
bool check_fields(const google::protobuf::Message& message, const std::string& path, Diagnostics& problems);

// Every table, those of the filters included, by message name.
const filters::FieldTable* find_table(std::string_view message);
const std::vector<filters::FieldTable>& all_tables();

// docs/reference/xds.md: every table as Markdown.
std::string render_reference();

}  // namespace weft::config
