// Heads for tests, written as one line: head("GET", "/a?b=1", {{"host", "x"}, {"x-a", "1"}}).
#pragma once
#include "common/http/head.h"

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::testing {

using Lines = std::initializer_list<std::pair<std::string_view, std::string_view>>;

struct TestHead {
  SlabPool pool;
  http::Head head{pool};
  explicit TestHead(std::string_view path = "/", Lines lines = {}, std::string_view method = "GET", std::string_view scheme = "http") {
    head.set_method(method);
    head.set_path(path);
    if (!scheme.empty()) head.set_scheme(scheme);
    for (auto [name, value] : lines) head.add(name, value);
  }
  static TestHead answer(int status, Lines lines = {}) { return TestHead(status, lines); }
  TestHead(int status, Lines lines) {
    head.set_status(status);
    for (auto [name, value] : lines) head.add(name, value);
  }
  operator http::Head&() { return head; }
  std::string operator[](std::string_view name) const {
    std::string scratch;
    return std::string(head.joined(name, scratch));
  }
  bool has(std::string_view name) const { return head.find(name) != nullptr; }
  std::string path() const { return std::string(head.path()); }
  std::string host() const { return std::string(head.authority()); }
};

}  // namespace weft::testing
