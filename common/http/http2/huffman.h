// The string code of RFC 7541 5.2 both ways, a symbol a step: what is common has at most 8 bits and is found by one look into a table.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace weft::http::http2 {

// Bytes that `text` takes.
size_t huffman_size(std::string_view text);
// Writes just those; returns what is behind them.
char* huffman_encode(char* to, std::string_view text);
// Appends to `text`. False: no such code, or padding that is not the least number of ones.
bool huffman_decode(std::string_view code, std::string& text);

}  // namespace weft::http::http2
