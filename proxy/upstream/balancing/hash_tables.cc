#include "proxy/upstream/balancing/hash_tables.h"

namespace weft::upstream {

std::shared_ptr<const HashTable> HashTables::get(ClusterConfig::Policy policy, const HashingOptions& options,
                                                 const std::shared_ptr<const EndpointSet>& endpoints, uint32_t priority, Shares shares) {
  std::lock_guard lock(mutex_);
  if (tables_.size() <= priority) tables_.resize(priority + 1);
  std::weak_ptr<const HashTable>& slot = tables_[priority];
  if (std::shared_ptr<const HashTable> known = slot.lock(); known && known->endpoints() == endpoints && known->shares() == shares)
    return known;
  std::shared_ptr<const HashTable> table = policy == ClusterConfig::Policy::kMaglev ? make_maglev(options, endpoints, std::move(shares))
                                                                                    : make_ring(options, endpoints, std::move(shares));
  if (!table->shares().empty()) spread_ = table->spread();
  slot = table;
  return table;
}

HashTable::Spread HashTables::spread() const {
  std::lock_guard lock(mutex_);
  return spread_;
}

}  // namespace weft::upstream
