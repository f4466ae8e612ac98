#include "controlplane/api/line_diff.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace weft::api {
namespace {

using Lines = std::vector<std::string_view>;

constexpr size_t kContext = 3;
constexpr size_t kMostCells = 4'000'000;  // of the table below; larger texts are shown as replaced

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return lines;
}

struct Step {
  char mark;  // ' ', '-', '+'
  std::string_view line;
};

// The longest common subsequence of the middle parts, which differ at both ends.
void middle(const Lines& before, size_t b0, size_t b1, const Lines& after, size_t a0, size_t a1, std::vector<Step>& out) {
  const size_t rows = b1 - b0, columns = a1 - a0;
  if (rows == 0 || columns == 0 || rows * columns > kMostCells) {
    for (size_t i = b0; i < b1; ++i) out.push_back({'-', before[i]});
    for (size_t j = a0; j < a1; ++j) out.push_back({'+', after[j]});
    return;
  }
  std::vector<uint32_t> common((rows + 1) * (columns + 1), 0);
  auto at = [&](size_t i, size_t j) -> uint32_t& { return common[i * (columns + 1) + j]; };
  for (size_t i = rows; i-- > 0;)
    for (size_t j = columns; j-- > 0;)
      at(i, j) = before[b0 + i] == after[a0 + j] ? at(i + 1, j + 1) + 1 : std::max(at(i + 1, j), at(i, j + 1));
  size_t i = 0, j = 0;
  while (i < rows || j < columns) {
    if (i < rows && j < columns && before[b0 + i] == after[a0 + j]) {
      out.push_back({' ', before[b0 + i]});
      ++i, ++j;
    } else if (i < rows && (j == columns || at(i + 1, j) >= at(i, j + 1))) {
      out.push_back({'-', before[b0 + i++]});
    } else {
      out.push_back({'+', after[a0 + j++]});
    }
  }
}

}  // namespace

std::string line_diff(std::string_view before_text, std::string_view after_text) {
  const Lines before = lines_of(before_text), after = lines_of(after_text);
  size_t head = 0, tail = 0;
  while (head < before.size() && head < after.size() && before[head] == after[head]) ++head;
  while (tail < before.size() - head && tail < after.size() - head && before[before.size() - 1 - tail] == after[after.size() - 1 - tail])
    ++tail;
  std::vector<Step> steps;
  for (size_t i = 0; i < head; ++i) steps.push_back({' ', before[i]});
  middle(before, head, before.size() - tail, after, head, after.size() - tail, steps);
  for (size_t i = before.size() - tail; i < before.size(); ++i) steps.push_back({' ', before[i]});

  std::string out;
  size_t done = 0, old_line = 1, new_line = 1;  // of steps[done]
  for (size_t at = 0; at < steps.size();) {
    if (steps[at].mark == ' ') {
      ++at;
      continue;
    }
    const size_t begin = std::max(done, at < kContext ? 0 : at - kContext);
    size_t end = at, quiet = 0;
    while (end < steps.size() && quiet <= 2 * kContext) quiet = steps[end++].mark == ' ' ? quiet + 1 : 0;
    end -= quiet > kContext ? quiet - kContext : 0;
    for (; done < begin; ++done) ++old_line, ++new_line;
    size_t olds = 0, news = 0;
    std::string body;
    for (size_t i = begin; i < end; ++i) {
      olds += steps[i].mark != '+';
      news += steps[i].mark != '-';
      body += steps[i].mark;
      body.append(steps[i].line).append("\n");
    }
    out += "@@ -" + std::to_string(olds ? old_line : old_line - 1) + "," + std::to_string(olds) + " +" +
           std::to_string(news ? new_line : new_line - 1) + "," + std::to_string(news) + " @@\n" + body;
    old_line += olds;
    new_line += news;
    done = at = end;
  }
  return out;
}

}  // namespace weft::api
