#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "core/error.hpp"
#include "core/file.hpp"
#include "training/datasets/readers.hpp"

namespace lightloop {
namespace {
[[noreturn]] void refuse(const std::string& path, const std::string& fault, const std::string& limit = {}) {
  throw FileError(path, fault, limit, "Download the file again, or check that it is an IDX file.");
}

/// The bytes of a file that may be compressed by gzip.
class Bytes {
 public:
  explicit Bytes(const std::string& path) : path_(path), content_(read_file(path)) {
    zipped_ = content_.size() >= 2 && content_[0] == '\x1f' && content_[1] == '\x8b';
    stream_.next_in = reinterpret_cast<Bytef*>(content_.data());
    stream_.avail_in = static_cast<uInt>(content_.size());
    if (content_.size() > 0xffffffffu) refuse(path, "larger than 4 GiB");
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    if (zipped_ && inflateInit2(&stream_, kGzipOnly) != Z_OK) refuse(path, "zlib cannot start");
  }
  ~Bytes() {
    if (zipped_) inflateEnd(&stream_);
  }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;

  /// Number of bytes delivered; fewer than asked for only at the end.
  std::size_t take(std::uint8_t* out, std::size_t size) {
    if (!zipped_) {
      const auto count = std::min<std::size_t>(size, stream_.avail_in);
      std::copy_n(stream_.next_in, count, out);
      stream_.next_in += count;
      stream_.avail_in -= static_cast<uInt>(count);
      return count;
    }
    std::size_t done = 0;
    while (done < size && !ended_) {
      const auto part = std::min<std::size_t>(size - done, 1u << 30);
      stream_.next_out = out + done;
      stream_.avail_out = static_cast<uInt>(part);
      const int code = inflate(&stream_, Z_NO_FLUSH);
      done += part - stream_.avail_out;
      if (code == Z_STREAM_END)
        ended_ = true;
      else if (code == Z_BUF_ERROR)
        refuse(path_, "the compressed data ends too early");
      else if (code != Z_OK)
        refuse(path_, std::string("damaged gzip data: ") + (stream_.msg ? stream_.msg : "unreadable"));
    }
    return done;
  }
  /// Whether nothing is left, after checking gzip's own checksum.
  bool at_end() {
    std::uint8_t more = 0;
    return take(&more, 1) == 0 && stream_.avail_in == 0;
  }
  /// The most this file can hold: deflate packs no more than 1032 to 1.
  std::size_t most() const { return content_.size() * (zipped_ ? 1032 : 1); }

 private:
  std::string path_, content_;
  z_stream stream_{};
  bool zipped_ = false, ended_ = false;
};

std::uint32_t big_endian(const std::uint8_t* b) {
  return std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
}

/// Reads the header and returns the sizes of all dimensions.
std::vector<Index> read_shape(Bytes& file, const std::string& path, int least, int most) {
  std::array<std::uint8_t, 4> magic{};
  if (file.take(magic.data(), 4) < 4) refuse(path, "shorter than the 4 bytes of an IDX magic number");
  if (magic[0] != 0 || magic[1] != 0) {
    char text[16];
    std::snprintf(text, sizeof text, "0x%08x", static_cast<unsigned>(big_endian(magic.data())));
    refuse(path, std::string("wrong magic number ") + text, "an IDX file starts with 0x000008");
  }
  if (magic[2] != 8) refuse(path, "IDX type code " + std::to_string(magic[2]), "only 8, unsigned bytes, is read");
  if (magic[3] < least || magic[3] > most)
    refuse(path, std::to_string(magic[3]) + " dimensions",
           least == most ? "labels have 1" : "images have " + std::to_string(least) + " to " + std::to_string(most));
  std::vector<Index> shape;
  double total = 1;
  for (int i = 0; i < magic[3]; ++i) {
    std::array<std::uint8_t, 4> size{};
    if (file.take(size.data(), 4) < 4) refuse(path, "it ends inside the header");
    shape.push_back(big_endian(size.data()));
    if (shape.back() == 0) refuse(path, "dimension " + std::to_string(i) + " is 0");
    total *= static_cast<double>(shape.back());
  }
  if (total > static_cast<double>(file.most())) refuse(path, "its header promises more bytes than it can hold");
  return shape;
}

void read_body(Bytes& file, const std::string& path, std::uint8_t* out, std::size_t size) {
  if (const auto count = file.take(out, size); count < size)
    refuse(path, "truncated: " + std::to_string(count) + " of " + std::to_string(size) + " data bytes");
  if (!file.at_end()) refuse(path, "there is more after the last value");
}
}  // namespace

Dataset read_idx(const std::string& images, const std::string& labels) {
  Dataset set;
  set.source = images;
  {
    Bytes file(labels);
    set.labels.resize(static_cast<std::size_t>(read_shape(file, labels, 1, 1)[0]));
    read_body(file, labels, set.labels.data(), set.labels.size());
  }
  Bytes file(images);
  const auto shape = read_shape(file, images, 2, 4);
  if (shape[0] != set.size())
    throw FileError(images, std::to_string(shape[0]) + " images",
                    labels + " holds " + std::to_string(set.size()) + " labels", "Use files that belong together.");
  set.sample_shape.assign(shape.begin() + 1, shape.end());
  Index features = 1;
  for (const Index n : set.sample_shape) features *= n;
  set.bytes.resize(shape[0], features);
  read_body(file, images, set.bytes.data(), set.bytes.flat().size());
  set.classes = 1 + *std::max_element(set.labels.begin(), set.labels.end());
  return set;
}

}  // namespace lightloop
