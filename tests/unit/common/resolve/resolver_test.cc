// The resolvers against a DNS server of a few lines on loopback; the lies of such servers are tests/integration's.
#include "common/resolve/resolver.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <thread>

namespace weft::resolve {
namespace {

using std::chrono::milliseconds;

// Answers every question for an A record with 10.1.2.3 (time to live: 77 s), and says of others that there are none.
class Server {
 public:
  Server() : fd_(::socket(AF_INET, SOCK_DGRAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(fd_, reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    endpoint = net::Endpoint(asio::ip::address_v4::loopback(), ntohs(address.sin_port));
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  net::Endpoint endpoint;

 private:
  void serve() {
    for (;;) {
      std::string message(512, '\0');
      sockaddr_in peer{};
      socklen_t size = sizeof peer;
      const ssize_t n = ::recvfrom(fd_, message.data(), message.size(), 0, reinterpret_cast<sockaddr*>(&peer), &size);
      if (n <= 0) return;
      message.resize(12 + message.find('\0', 12) - 12 + 5);  // head and question
      const bool v4 = message[message.size() - 3] == 1;
      message[2] = '\x81';
      message[3] = '\x80';
      message[7] = v4 ? 1 : 0;
      message[8] = message[9] = message[10] = message[11] = 0;
      if (v4) message += std::string("\xc0\x0c\0\1\0\1\0\0\0\x4d\0\4\x0a\1\2\3", 16);
      ::sendto(fd_, message.data(), message.size(), 0, reinterpret_cast<sockaddr*>(&peer), size);
    }
  }
  int fd_;
  std::thread thread_;
};

class ResolverTest : public testing::Test {
 protected:
  ~ResolverTest() override {
    question.reset();
    resolver.reset();
    loop.stop();
    loop.run();
  }
  Answer ask(const std::string& name, Family family, const Options& options) {
    resolver = make_resolver(loop, options);
    std::optional<Answer> got;
    question = resolver->ask(name, family, [&](Answer answer) { got = std::move(answer); });
    EXPECT_FALSE(got) << "from inside";
    const auto last = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!got && std::chrono::steady_clock::now() < last) loop.io().run_one_for(milliseconds(50));
    return got.value_or(Answer{true, "nothing in time", {}});
  }
  static std::string text(const Answer& answer) {
    if (answer.failed) return "failed";
    std::string out;
    for (const Address& one : answer.addresses) out += (out.empty() ? "" : " ") + one.ip.to_string();
    return out;
  }
  Options at_server() const {
    Options options;
    options.servers = {server.endpoint};
    options.no_search = true;
    options.timeout = std::chrono::seconds(10);
    return options;
  }

  Server server;
  net::Loop loop{0};
  std::shared_ptr<Resolver> resolver;
  std::unique_ptr<Question> question;
};

TEST_F(ResolverTest, AsksForTheFamiliesThatAreWanted) {
  const Answer v4 = ask("a.test", Family::kV4Only, at_server());
  EXPECT_EQ(text(v4), "10.1.2.3");
  EXPECT_EQ(v4.addresses.at(0).ttl, std::chrono::seconds(77));
  EXPECT_EQ(text(ask("a.test", Family::kV6Only, at_server())), "");
  EXPECT_EQ(text(ask("a.test", Family::kAuto, at_server())), "10.1.2.3");  // IPv6 has nothing
  EXPECT_EQ(text(ask("a.test", Family::kV4Preferred, at_server())), "10.1.2.3");
  EXPECT_EQ(text(ask("a.test", Family::kAll, at_server())), "10.1.2.3");
}

TEST_F(ResolverTest, LiteralsNeedNoServer) {
  EXPECT_EQ(text(ask("10.9.8.7", Family::kV4Only, {})), "10.9.8.7");
  EXPECT_EQ(text(ask("10.9.8.7", Family::kAuto, {})), "10.9.8.7");
  EXPECT_EQ(text(ask("::2", Family::kV6Only, {})), "::2");
}

TEST_F(ResolverTest, AServerThatCannotBeReachedIsAFailure) {
  Options options = at_server();
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);  // a port that nobody has
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  options.servers = {net::Endpoint(asio::ip::address_v4::loopback(), ntohs(address.sin_port))};
  options.timeout = std::chrono::seconds(1);
  options.tries = 1;
  EXPECT_EQ(text(ask("a.test", Family::kV4Only, options)), "failed");
}

TEST_F(ResolverTest, AQuestionThatIsGivenUpGetsNoAnswer) {
  resolver = make_resolver(loop, at_server());
  bool answered = false;
  for (int i = 0; i < 3; ++i) resolver->ask("a.test", Family::kV4Only, [&](Answer) { answered = true; }).reset();
  EXPECT_EQ(text(ask("b.test", Family::kV4Only, at_server())), "10.1.2.3");
  EXPECT_FALSE(answered);
}

TEST_F(ResolverTest, MayDieWithQuestionsUnderWay) {
  Options options = at_server();
  resolver = make_resolver(loop, options);
  question = resolver->ask("a.test", Family::kAll, [](Answer) { FAIL(); });
  resolver.reset();
  loop.io().run_for(milliseconds(20));
}

TEST_F(ResolverTest, TheSystemsOwnWay) {
  Options options;
  options.by_system = true;
  EXPECT_EQ(text(ask("10.9.8.7", Family::kV4Only, options)), "10.9.8.7");
  EXPECT_EQ(text(ask("::2", Family::kV6Only, options)), "::2");
  EXPECT_EQ(text(ask("localhost", Family::kV4Only, options)), "127.0.0.1");
}

}  // namespace
}  // namespace weft::resolve
