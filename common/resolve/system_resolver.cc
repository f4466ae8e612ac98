// Names as the system resolves them: getaddrinfo() on threads of our own, for it blocks.
#include "common/resolve/resolver.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace weft::resolve {
namespace {

// The system tells no TTL; Envoy says this.
constexpr std::chrono::seconds kSystemTtl{60};

struct Waiting {
  std::string name;
  Family family;
  Resolver::Done done;  // null: given up. Of the loop's thread alone
};

// What the threads and the resolver share. They may outlive it: getaddrinfo() cannot be called off.
struct Queue {
  std::mutex mutex;
  std::condition_variable more;
  std::deque<std::shared_ptr<Waiting>> waiting;
  net::Loop* loop;  // null: nobody wants answers any more
  uint32_t retries;
};

struct WaitingQuestion final : Question {
  explicit WaitingQuestion(std::shared_ptr<Waiting> waiting) : waiting(std::move(waiting)) {}
  ~WaitingQuestion() override { waiting->done = nullptr; }
  const std::shared_ptr<Waiting> waiting;
};

Answer look_up(const std::string& name, int family, uint32_t retries) {
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int error = 0;
  uint32_t tries = 0;
  do {
    error = ::getaddrinfo(name.c_str(), nullptr, &hints, &found);
  } while (error == EAI_AGAIN && (retries == 0 ? tries < 1000 : tries < retries) && ++tries);
  Answer answer;
  if (error == EAI_NONAME || error == EAI_NODATA) return answer;
  if (error != 0) return {true, std::string("getaddrinfo_failure:") + ::gai_strerror(error), {}};
  for (const addrinfo* one = found; one; one = one->ai_next) {
    if (one->ai_family == AF_INET) {
      const auto* v4 = reinterpret_cast<const sockaddr_in*>(one->ai_addr);
      answer.addresses.push_back({asio::ip::address_v4(ntohl(v4->sin_addr.s_addr)), kSystemTtl});
    } else if (one->ai_family == AF_INET6) {
      asio::ip::address_v6::bytes_type bytes;
      std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(one->ai_addr)->sin6_addr, bytes.size());
      answer.addresses.push_back({asio::ip::address_v6(bytes), kSystemTtl});
    }
  }
  ::freeaddrinfo(found);
  return answer;
}

Answer look_up(const std::string& name, Family family, uint32_t retries) {
  switch (family) {
    case Family::kV4Only: return look_up(name, AF_INET, retries);
    case Family::kV6Only: return look_up(name, AF_INET6, retries);
    case Family::kAll: return look_up(name, AF_UNSPEC, retries);
    case Family::kAuto:
    case Family::kV4Preferred: break;
  }
  Answer first = look_up(name, family == Family::kAuto ? AF_INET6 : AF_INET, retries);
  return first.addresses.empty() ? look_up(name, family == Family::kAuto ? AF_INET : AF_INET6, retries) : first;
}

void serve(const std::shared_ptr<Queue>& queue) {
  std::unique_lock lock(queue->mutex);
  for (;;) {
    queue->more.wait(lock, [&] { return !queue->loop || !queue->waiting.empty(); });
    if (!queue->loop) return;
    const std::shared_ptr<Waiting> next = std::move(queue->waiting.front());
    queue->waiting.pop_front();
    lock.unlock();
    Answer answer = look_up(next->name, next->family, queue->retries);
    lock.lock();
    if (!queue->loop) return;
    queue->loop->post([next, answer = std::move(answer)]() mutable {
      if (!next->done) return;
      const Resolver::Done done = std::exchange(next->done, nullptr);
      done(std::move(answer));
    });
  }
}

class SystemResolver final : public Resolver {
 public:
  SystemResolver(net::Loop& loop, const Options& options) {
    queue_->loop = &loop;
    queue_->retries = options.retries;
    for (uint32_t i = 0; i < options.threads; ++i) std::thread([queue = queue_] { serve(queue); }).detach();
  }
  ~SystemResolver() override {
    std::lock_guard lock(queue_->mutex);
    queue_->loop = nullptr;
    queue_->more.notify_all();
  }

  std::unique_ptr<Question> ask(const std::string& name, Family family, Done done) override {
    auto waiting = std::make_shared<Waiting>(Waiting{name, family, std::move(done)});
    std::lock_guard lock(queue_->mutex);
    queue_->waiting.push_back(waiting);
    queue_->more.notify_one();
    return std::make_unique<WaitingQuestion>(std::move(waiting));
  }

 private:
  const std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
};

}  // namespace

std::shared_ptr<Resolver> make_system_resolver(net::Loop& loop, const Options& options) {
  return std::make_shared<SystemResolver>(loop, options);
}

std::shared_ptr<Resolver> make_resolver(net::Loop& loop, const Options& options) {
  return options.by_system ? make_system_resolver(loop, options) : make_cares_resolver(loop, options);
}

}  // namespace weft::resolve
