#pragma once
// For tests only: a folder that vanishes, and files of samples, whole or spoilt.
#include <zlib.h>

#include <string>
#include <vector>

#include "core/file.hpp"
#include "core/temporary_folder_for_tests.hpp"

namespace lightloop::test {

using Folder = TemporaryFolder;

inline std::string gzip(const std::string& text) {
  z_stream z{};
  deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, text.size()), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

inline std::string idx(const std::vector<std::uint32_t>& shape, const std::string& data, char type = 8) {
  std::string text = {0, 0, type, static_cast<char>(shape.size())};
  for (const auto n : shape)
    for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(n >> shift & 255);
  return text + data;
}

}  // namespace lightloop::test
