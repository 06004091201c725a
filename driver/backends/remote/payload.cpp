#include "driver/backends/remote/payload.hpp"

#include <algorithm>
#include <cstring>

#include "core/error.hpp"

namespace lightloop::remote {

Outgoing::Outgoing(std::vector<std::span<const std::byte>> pieces) : pieces_(std::move(pieces)) {
  for (const auto& piece : pieces_) left_ += piece.size();
}

std::size_t Outgoing::next(std::size_t most, std::string& to) {
  const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(most, left_));
  to.clear();
  to.reserve(size);
  while (to.size() < size) {
    auto& piece = pieces_[piece_];
    const std::size_t n = std::min(size - to.size(), piece.size());
    to.append(reinterpret_cast<const char*>(piece.data()), n);
    piece = piece.subspan(n);
    piece_ += piece.empty();
  }
  left_ -= size;
  return size;
}

Incoming::Incoming(std::vector<std::span<std::byte>> pieces) : pieces_(std::move(pieces)) {
  for (const auto& piece : pieces_) left_ += piece.size();
}

Incoming Incoming::dropping(std::uint64_t size) {
  Incoming nowhere;
  nowhere.left_ = size;
  return nowhere;
}

void Incoming::take(std::string_view bytes) {
  if (bytes.size() > left_)
    throw LinkError("payload", std::to_string(bytes.size() - left_) + " bytes more than announced");
  left_ -= bytes.size();
  while (!bytes.empty() && piece_ < pieces_.size()) {
    auto& piece = pieces_[piece_];
    const std::size_t n = std::min(bytes.size(), piece.size());
    if (n > 0) std::memcpy(piece.data(), bytes.data(), n);
    bytes.remove_prefix(n);
    piece = piece.subspan(n);
    piece_ += piece.empty();
  }
}

void Window::credit(std::uint64_t bytes) {
  if (bytes > under_way_)
    throw LinkError("credit", std::to_string(bytes) + " bytes", std::to_string(under_way_) + " are under way");
  under_way_ -= bytes;
}

}  // namespace lightloop::remote
