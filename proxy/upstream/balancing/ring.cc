// The ring: each host has points on it, in number as its weight says, made by hashing its key with a running number.
#include "proxy/upstream/balancing/hash_table.h"
#include "proxy/upstream/balancing/murmur_hash.h"

#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

namespace weft::upstream {
namespace {

uint64_t hash_of(std::string_view text, HashingOptions::Function function) {
  return function == HashingOptions::Function::kMurmurHash2 ? murmur_hash_2(text) : XXH64(text.data(), text.size(), 0);
}

class Ring final : public HashTable {
 public:
  Ring(const HashingOptions& options, std::shared_ptr<const EndpointSet> endpoints, Shares of)
      : HashTable(std::move(endpoints), std::move(of)) {
    if (!shares().empty()) fill(options);
  }

 private:
  // The lightest host gets a whole number of points, the others as many times that as they are heavier; the fractions are made up for
  // by a sum that runs over all hosts.
  void fill(const HashingOptions& options) {
    double lightest = 1.0;
    for (const Share& share : shares()) lightest = std::min(lightest, share.weight);
    const double scale = std::min(std::ceil(lightest * static_cast<double>(options.minimum_ring_size)) / lightest,
                                  static_cast<double>(options.maximum_ring_size));
    const auto size = static_cast<uint64_t>(std::ceil(scale));
    struct Point {
      uint64_t hash;
      uint32_t owner;
    };
    std::vector<Point> points;
    points.reserve(size);
    std::vector<uint64_t> counts;
    counts.reserve(shares().size());
    double present = 0, wanted = 0;
    std::string key;
    for (uint32_t owner = 0; owner < shares().size(); ++owner) {
      key = hash_key(*shares()[owner].host, options.by_hostname);
      key += '_';
      const size_t stem = key.size();
      wanted += scale * shares()[owner].weight;
      uint64_t number = 0;
      for (; present < wanted; ++number, ++present) {
        char digits[20];
        key.resize(stem);
        key.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
        points.push_back({hash_of(key, options.function), owner});
      }
      counts.push_back(number);
    }
    std::stable_sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.hash < b.hash; });
    hashes_.reserve(points.size());
    owners_.reserve(points.size());
    for (const Point& point : points) hashes_.push_back(point.hash), owners_.push_back(point.owner);
    count(counts, size);
  }

  uint32_t owner(uint64_t hash, uint32_t attempt) const override {
    auto at = static_cast<uint64_t>(std::lower_bound(hashes_.begin(), hashes_.end(), hash) - hashes_.begin());
    if (at == hashes_.size()) at = 0;
    return owners_[(at + attempt) % owners_.size()];
  }

  // Apart, as a search reads hashes only.
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> owners_;
};

}  // namespace

std::shared_ptr<const HashTable> make_ring(const HashingOptions& options, std::shared_ptr<const EndpointSet> endpoints, Shares shares) {
  return std::make_shared<Ring>(options, std::move(endpoints), std::move(shares));
}

}  // namespace weft::upstream
