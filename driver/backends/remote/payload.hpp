#pragma once
// Payloads: memory cut into the parts of messages, and put together again where it belongs.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lightloop::remote {

inline constexpr std::size_t kChunk = std::size_t{256} << 10;  ///< longest payload of one message
inline constexpr std::size_t kMessage = kChunk + (3u << 20);   ///< longest message: settings and texts beside a payload
inline constexpr std::uint64_t kWindow = std::uint64_t{32} * kChunk;  ///< payload under way without a Credit

/// Pieces of memory to be sent one after the other. They must stay where they are until then.
class Outgoing {
 public:
  Outgoing() = default;
  explicit Outgoing(std::vector<std::span<const std::byte>> pieces);
  std::uint64_t left() const { return left_; }
  /// Replaces `to` by the next bytes, at most `most`; returns how many.
  std::size_t next(std::size_t most, std::string& to);

 private:
  std::vector<std::span<const std::byte>> pieces_;
  std::size_t piece_ = 0;
  std::uint64_t left_ = 0;
};

/// Memory that a payload fills piece by piece, in order. Made without memory it drops what it takes.
class Incoming {
 public:
  Incoming() = default;
  explicit Incoming(std::vector<std::span<std::byte>> pieces);
  /// Takes `size` bytes and keeps none.
  static Incoming dropping(std::uint64_t size);
  std::uint64_t left() const { return left_; }
  /// Throws LinkError when more comes than was announced; then nothing is written.
  void take(std::string_view bytes);

 private:
  std::vector<std::span<std::byte>> pieces_;
  std::size_t piece_ = 0;
  std::uint64_t left_ = 0;
};

/// Who has sent more than the other side has acknowledged? Counts payload bytes under way.
class Window {
 public:
  explicit Window(std::uint64_t size) : size_(size) {}
  bool fits(std::uint64_t bytes) const { return bytes <= size_ - under_way_; }
  void send(std::uint64_t bytes) { under_way_ += bytes; }
  /// Throws LinkError for more than is under way.
  void credit(std::uint64_t bytes);

 private:
  std::uint64_t size_, under_way_ = 0;
};

}  // namespace lightloop::remote
