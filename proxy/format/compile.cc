#include "proxy/format/operation.h"

#include <charconv>

namespace weft::format {
namespace {

bool command_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }
bool digit(char c) { return c >= '0' && c <= '9'; }

struct Command {
  std::string_view name, argument, limit;
  bool has_argument = false, has_limit = false;
  size_t size = 0;  // of the whole, with both '%'
};

// "%NAME%", "%NAME(argument)%", "%NAME(argument):12%", "%NAME:12%" at the front of `text`; size 0 if it is none of these.
Command read_command(std::string_view text) {
  Command command;
  size_t i = 1;
  while (i < text.size() && command_letter(text[i])) ++i;
  if (i == 1) return {};
  command.name = text.substr(1, i - 1);
  // What may follow a name or a closing parenthesis; the position after the last '%', or 0.
  auto finish = [&](size_t at) -> size_t {
    if (at < text.size() && text[at] == ':') {
      size_t from = ++at;
      while (at < text.size() && digit(text[at])) ++at;
      if (at == from) return 0;
      command.limit = text.substr(from, at - from);
      command.has_limit = true;
    }
    return at < text.size() && text[at] == '%' ? at + 1 : 0;
  };
  if (i < text.size() && text[i] == '(') {
    command.has_argument = true;
    for (size_t close = text.find(')', i); close != std::string_view::npos; close = text.find(')', close + 1)) {
      command.has_limit = false;
      if (size_t end = finish(close + 1)) {
        command.argument = text.substr(i + 1, close - i - 1);
        command.size = end;
        return command;
      }
    }
    return {};
  }
  command.size = finish(i);
  return command;
}

}  // namespace

Result<std::vector<Operation>> compile(std::string_view format) {
  std::vector<Operation> operations;
  auto literal = [&operations](char c) {
    if (operations.empty() || operations.back().print != nullptr) operations.emplace_back();
    operations.back().text += c;
  };
  for (size_t i = 0; i < format.size();) {
    if (format[i] != '%') {
      literal(format[i++]);
      continue;
    }
    if (i + 1 < format.size() && format[i + 1] == '%') {
      literal('%');
      i += 2;
      continue;
    }
    Command command = read_command(format.substr(i));
    if (command.size == 0)
      return invalid("Incorrect configuration: " + std::string(format) + ". Couldn't find valid command at position " + std::to_string(i));
    Operation operation;
    if (command.has_limit) {
      operation.has_limit = true;
      auto [end, error] = std::from_chars(command.limit.data(), command.limit.data() + command.limit.size(), operation.limit);
      if (error != std::errc()) return invalid("Length must be an integer, given: " + std::string(command.limit));
    }
    if (auto status = resolve(command.name, command.has_argument, command.argument, command.has_limit, operation); !status)
      return status.error();
    operations.push_back(std::move(operation));
    i += command.size;
  }
  return operations;
}

}  // namespace weft::format
