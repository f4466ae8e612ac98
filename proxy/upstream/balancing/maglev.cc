// The Maglev table: the hosts take places in turn, each in the order of its own permutation, until none is left; a host of half the
// weight takes a place every other round.
#include "proxy/upstream/balancing/hash_table.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <numeric>

namespace weft::upstream {
namespace {

// Small numbers, as few bytes each as the greatest takes: a table of 65537 places for a handful of hosts is 64 KiB.
class Packed {
 public:
  Packed(size_t size, uint32_t greatest) : width_(greatest < 0xff ? 1 : greatest < 0xffff ? 2 : 4), bytes_(size * width_, 0xff) {}
  bool empty(size_t at) const { return (*this)[at] == none(); }
  uint32_t operator[](size_t at) const {
    uint32_t value = 0;
    std::memcpy(&value, &bytes_[at * width_], width_);
    return value;
  }
  void set(size_t at, uint32_t value) { std::memcpy(&bytes_[at * width_], &value, width_); }

 private:
  uint32_t none() const { return static_cast<uint32_t>((uint64_t{1} << 8 * width_) - 1); }
  unsigned width_;
  std::vector<unsigned char> bytes_;
};
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

class Maglev final : public HashTable {
 public:
  Maglev(const HashingOptions& options, std::shared_ptr<const EndpointSet> endpoints, Shares of)
      : HashTable(std::move(endpoints), std::move(of)),
        size_(options.table_size),
        places_(shares().empty() ? 0 : size_, static_cast<uint32_t>(shares().size())) {
    if (!shares().empty()) fill(options.by_hostname);
  }

 private:
  struct Entry {
    uint32_t share;
    double weight;
    uint64_t offset, skip;  // the permutation
    double target = 0;
    uint64_t next = 0, count = 0;
  };

  void fill(bool by_hostname) {
    std::vector<Entry> entries = entries_by_key(by_hostname);
    double heaviest = 0;
    for (const Entry& entry : entries) heaviest = std::max(heaviest, entry.weight);
    uint64_t filled = 0;
    for (uint32_t round = 1; filled < size_; ++round) {
      for (size_t i = 0; i < entries.size() && filled < size_; ++i) {
        Entry& entry = entries[i];
        if (round * entry.weight < entry.target) continue;
        entry.target += heaviest;
        uint64_t place;
        do place = (entry.offset + entry.skip * entry.next++) % size_;
        while (!places_.empty(place));
        places_.set(place, entry.share);
        ++entry.count;
        ++filled;
      }
    }
    std::vector<uint64_t> counts;
    for (const Entry& entry : entries) counts.push_back(entry.count);
    count(counts, size_);
  }

  // In the order of their keys: who comes first takes first.
  std::vector<Entry> entries_by_key(bool by_hostname) const {
    std::vector<Entry> entries;
    entries.reserve(shares().size());
    const auto key_of = [&](uint32_t share) -> const std::string& { return hash_key(*shares()[share].host, by_hostname); };
    std::vector<uint32_t> order(shares().size());
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return key_of(a) < key_of(b); });
    for (uint32_t share : order) {
      const std::string& key = key_of(share);
      entries.push_back(
          {share, shares()[share].weight, XXH64(key.data(), key.size(), 0) % size_, XXH64(key.data(), key.size(), 1) % (size_ - 1) + 1});
    }
    return entries;
  }

  uint32_t owner(uint64_t hash, uint32_t attempt) const override {
    // Another attempt turns over most bits, so that not all that avoid a host meet at one other.
    if (attempt > 0) hash ^= ~uint64_t{0} - attempt + 1;
    return places_[hash % size_];
  }

  uint64_t size_;
  Packed places_;
};

}  // namespace

std::shared_ptr<const HashTable> make_maglev(const HashingOptions& options, std::shared_ptr<const EndpointSet> endpoints, Shares shares) {
  return std::make_shared<Maglev>(options, std::move(endpoints), std::move(shares));
}

}  // namespace weft::upstream
