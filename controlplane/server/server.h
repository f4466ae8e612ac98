// Joins the rooms: store, sources, pusher, xDS and the HTTP API, in the order in which they start and end.
//
// Threads: the caller's; one for pushes (everything of the pusher and of each proxy's session); one for the HTTP API; the file source's
// own. gRPC's threads only post to the push thread. A proxy or a client sees a listening port only when the store and the sources are
// loaded, so an empty world is never sent by mistake.
#pragma once
#include "controlplane/server/options.h"

#include "common/base/error.h"

#include <memory>

namespace weft::control {

class Server {
 public:
  // Loads and listens; serves when this returns. An error says what could not be had; nothing is left running then.
  static Result<std::unique_ptr<Server>> start(const Options& options);
  // Ends everything: no change is lost that was answered.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::string xds_address() const;
  std::string http_address() const;

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace weft::control
