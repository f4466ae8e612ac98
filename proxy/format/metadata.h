// Dynamic metadata: what filters note about a request for others to read, values as JSON knows them in namespaces ("envoy.lb").
// A request that nobody says anything about has none: RequestInfo holds a null pointer.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace weft::format {

struct MetadataValue;
using MetadataList = std::vector<MetadataValue>;
using MetadataStruct = std::map<std::string, MetadataValue, std::less<>>;

struct MetadataValue {
  std::variant<std::monostate, bool, double, std::string, MetadataList, MetadataStruct> of;  // monostate: null

  template <class T>
  const T* as() const {
    return std::get_if<T>(&of);
  }
  bool is_null() const { return std::holds_alternative<std::monostate>(of); }
};

class Metadata {
 public:
  // Takes over the members of `values`; others of the namespace stay.
  void set(std::string_view name_space, MetadataStruct values);
  void set(std::string_view name_space, std::string_view key, MetadataValue value);
  // As set(), but structs that are on both sides grow together and lists are joined.
  void merge(std::string_view name_space, const MetadataStruct& values);
  bool has(std::string_view name_space) const { return spaces_.contains(name_space); }
  // The whole namespace; null if nobody wrote to it.
  const MetadataStruct* find(std::string_view name_space) const;
  // One value in it, by the names that lead to it; null: there is none. An empty path finds nothing.
  const MetadataValue* find(std::string_view name_space, const std::vector<std::string>& path) const;

 private:
  std::map<std::string, MetadataStruct, std::less<>> spaces_;
};

struct RequestInfo;
// The request's, made now if it has none.
Metadata& metadata_of(RequestInfo& info);

void append_json(std::string& out, const MetadataValue& value);
void append_json(std::string& out, const MetadataStruct& value);

}  // namespace weft::format
