// A server that answers each request with what the test has for it, and remembers what was asked.
#pragma once
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace weft::ctl {

class ScriptedServer {
 public:
  struct Asked {
    std::string line, head, body;  // line: "GET /v1/status"
  };

  ScriptedServer() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    listen(listener_, 8);
    socklen_t size = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~ScriptedServer() {
    stopping_ = true;
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // For requests whose line begins with `line`; the longest one counts. Status 0 closes the connection without a word.
  void answer(const std::string& line, int status, const std::string& body) {
    std::lock_guard lock(mutex_);
    answers_[line] = {status, body};
  }
  std::vector<Asked> asked() {
    std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  void run() {
    while (!stopping_) {
      const int fd = accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      serve(fd);
      close(fd);
    }
  }
  void serve(int fd) {
    std::string text;
    size_t end = std::string::npos, length = 0;
    char buffer[65536];
    while (end == std::string::npos || text.size() < end + 4 + length) {
      const ssize_t size = recv(fd, buffer, sizeof buffer, 0);
      if (size <= 0) return;
      text.append(buffer, static_cast<size_t>(size));
      if (end == std::string::npos && (end = text.find("\r\n\r\n")) != std::string::npos) {
        const size_t at = text.find("Content-Length: ");
        if (at < end) length = std::stoul(text.substr(at + 16));
      }
    }
    Asked asked{text.substr(0, text.find(" HTTP/1.1")), text.substr(0, end), text.substr(end + 4)};
    std::pair<int, std::string> answer{404, R"({"error":{"code":"not_found","message":"not scripted: )" + asked.line + "\"}}"};
    {
      std::lock_guard lock(mutex_);
      size_t longest = 0;
      for (const auto& [line, scripted] : answers_) {
        if (!asked.line.starts_with(line) || line.size() < longest) continue;
        longest = line.size();
        answer = scripted;
      }
      asked_.push_back(std::move(asked));
    }
    if (answer.first == 0) return;
    const std::string out =
        "HTTP/1.1 " + std::to_string(answer.first) +
        " X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " + std::to_string(answer.second.size()) +
        "\r\n\r\n" + answer.second;
    send(fd, out.data(), out.size(), MSG_NOSIGNAL);
  }

  int listener_ = -1;
  unsigned short port_ = 0;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::map<std::string, std::pair<int, std::string>> answers_;
  std::vector<Asked> asked_;
  std::thread thread_;
};

}  // namespace weft::ctl
