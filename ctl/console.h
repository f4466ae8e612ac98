// Where weftctl writes: data to standard output, messages to standard error, colour only where somebody looks.
#pragma once
#include "common/base/diagnostic.h"
#include "ctl/options.h"

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

namespace weft::ctl {

struct Environment {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool out_is_terminal = false, err_is_terminal = false;
  std::function<std::string(const char*)> variable;  // of the environment; empty: not set
};

class Console {
 public:
  Console(const Environment& environment, const Options& options);

  std::ostream& data() const { return environment_.out; }
  std::istream& input() const { return environment_.in; }
  bool colour_data() const { return colour_data_; }
  void say(const std::string& text) const;      // unless --quiet
  void verbose(const std::string& text) const;  // with --verbose
  void warn(const std::string& text) const;     // unless --quiet
  void error(const std::string& text) const;
  // To standard error, apart from each other by a blank line; with --quiet only errors.
  void findings(const Diagnostics& findings) const;
  // The same, to standard output, whatever --quiet says.
  void print(const Diagnostics& findings) const;

 private:
  const Environment& environment_;
  bool quiet_, verbose_, colour_data_, colour_messages_;
};

// Columns as wide as they need to be, two spaces apart; nothing after the last one.
class Table {
 public:
  explicit Table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.size() < 2; }
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// "4.2s", "3m10s", "2h5m", "6d2h".
std::string age_text(double seconds);

}  // namespace weft::ctl
