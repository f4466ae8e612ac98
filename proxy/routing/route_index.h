// Which routes of a virtual host a path can match at all, in their order: exact paths by hash, prefixes by length and hash, the
// rest (regular expressions without a plain beginning, matches that ignore case) always. A route that is no candidate cannot
// match, so the first candidate that does is the first route that does, as if all had been tried. Immutable.
#pragma once
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weft::routing {

struct Route;

class RouteIndex {
 public:
  // Below this many routes trying one after the other is as fast.
  static constexpr size_t kWorthwhile = 16;

  // `routes` outlives the index.
  explicit RouteIndex(const std::vector<Route>& routes);

  // Calls visit(number of a route) in rising order until it returns true; false if it never did.
  template <class Visit>
  bool each_candidate(std::string_view path, Visit visit) const {
    Cursors cursors;
    collect(path, cursors);
    while (cursors.count != 0) {
      unsigned least = 0;
      for (unsigned i = 1; i < cursors.count; ++i)
        if (*cursors.at[i].next < *cursors.at[least].next) least = i;
      Cursor& cursor = cursors.at[least];
      if (visit(*cursor.next)) return true;
      if (++cursor.next == cursor.end) cursor = cursors.at[--cursors.count];
    }
    return false;
  }

 private:
  using Numbers = std::vector<uint32_t>;
  struct Hash {
    size_t operator()(std::string_view text) const;
  };
  using Table = std::unordered_map<std::string_view, Numbers, Hash>;
  struct Cursor {
    const uint32_t *next, *end;
  };
  static constexpr unsigned kMostLengths = 62;  // of prefixes; routes with others are tried always
  struct Cursors {
    Cursor at[kMostLengths + 2];
    unsigned count = 0;
  };
  struct Length {
    size_t length;
    Table prefixes;
  };
  void collect(std::string_view path, Cursors& out) const;
  Table exact_;
  std::vector<Length> lengths_;  // rising
  Numbers always_;
};

// The plain text with which everything that `regex` matches begins; empty: none is known.
std::string_view plain_beginning(std::string_view regex);

}  // namespace weft::routing
