// Filter state: objects that filters leave for others to read, by name, for as long as the request lives. A request for which nobody
// sets any has none: RequestInfo holds a null pointer.
#pragma once
#include <map>
#include <string>
#include <string_view>

namespace weft::format {

struct FilterStateObject {
  std::string text;
  bool hashable = false;  // a hash policy may go by it
  std::string json = {};  // as logs show it unless they ask for PLAIN; empty: the text
};

class FilterState {
 public:
  void set(std::string_view key, FilterStateObject object);
  // Null: nobody has set it.
  const FilterStateObject* find(std::string_view key) const;

 private:
  std::map<std::string, FilterStateObject, std::less<>> objects_;
};

struct RequestInfo;
// The request's, made now if it has none.
FilterState& filter_state_of(RequestInfo& info);

}  // namespace weft::format
