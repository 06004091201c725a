#include "driver/api/frames.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lightloop {
namespace {
template <class T>
void require_contiguous(const View<T>& codes) {
  if (!codes.contiguous())
    throw ShapeMismatch("frames", "rows " + std::to_string(codes.stride()) + " codes apart",
                        std::to_string(codes.cols()) + " codes per frame", "Frames lie one after the other in memory.");
}

void require_bytes(int bytes, int wanted) {
  if (bytes != wanted)
    throw InternalError("frames", std::to_string(bytes) + "-byte codes",
                        "read as " + std::to_string(wanted) + "-byte codes");
}

void require_slice(Index first, Index n, Index count) {
  if (first < 0 || n < 0 || first + n > count)
    throw OutOfRange("slice of frames", std::to_string(first) + " + " + std::to_string(n),
                     "0.." + std::to_string(count));
}

std::uint32_t code_at(const void* data, int bytes, Index i) {
  return bytes == 1 ? static_cast<const std::uint8_t*>(data)[i] : static_cast<const std::uint16_t*>(data)[i];
}
}  // namespace

Index FrameFormat::size() const {
  Index n = shape.empty() ? 0 : 1;
  for (const Index side : shape) n *= side;
  return n;
}

ConstFrames::ConstFrames(View<const std::uint8_t> codes, View<const std::uint16_t> aux_codes)
    : data(codes.data()), count(codes.rows()), size(codes.cols()), bytes(1), aux(aux_codes) {
  require_contiguous(codes);
}

ConstFrames::ConstFrames(View<const std::uint16_t> codes, View<const std::uint16_t> aux_codes)
    : data(codes.data()), count(codes.rows()), size(codes.cols()), bytes(2), aux(aux_codes) {
  require_contiguous(codes);
}

View<const std::uint8_t> ConstFrames::u8() const {
  require_bytes(bytes, 1);
  return {static_cast<const std::uint8_t*>(data), count, size};
}

View<const std::uint16_t> ConstFrames::u16() const {
  require_bytes(bytes, 2);
  return {static_cast<const std::uint16_t*>(data), count, size};
}

std::uint32_t ConstFrames::at(Index frame, Index i) const { return code_at(data, bytes, frame * size + i); }

ConstFrames ConstFrames::slice(Index first, Index n) const {
  require_slice(first, n, count);
  ConstFrames part = *this;
  part.data = static_cast<const std::byte*>(data) + first * size * bytes;
  part.count = n;
  if (aux.cols() > 0) {
    require_slice(first, n, aux.rows());
    part.aux = aux.rows(first, n);
  }
  return part;
}

Frames::Frames(View<std::uint8_t> codes) : data(codes.data()), count(codes.rows()), size(codes.cols()), bytes(1) {
  require_contiguous(codes);
}

Frames::Frames(View<std::uint16_t> codes) : data(codes.data()), count(codes.rows()), size(codes.cols()), bytes(2) {
  require_contiguous(codes);
}

View<std::uint8_t> Frames::u8() const {
  require_bytes(bytes, 1);
  return {static_cast<std::uint8_t*>(data), count, size};
}

View<std::uint16_t> Frames::u16() const {
  require_bytes(bytes, 2);
  return {static_cast<std::uint16_t*>(data), count, size};
}

std::uint32_t Frames::at(Index frame, Index i) const { return code_at(data, bytes, frame * size + i); }

void Frames::set(Index frame, Index i, std::uint32_t code) const {
  const Index at = frame * size + i;
  if (bytes == 1)
    static_cast<std::uint8_t*>(data)[at] = static_cast<std::uint8_t>(code);
  else
    static_cast<std::uint16_t*>(data)[at] = static_cast<std::uint16_t>(code);
}

Frames Frames::slice(Index first, Index n) const {
  require_slice(first, n, count);
  Frames part = *this;
  part.data = static_cast<std::byte*>(data) + first * size * bytes;
  part.count = n;
  return part;
}

ConstFrames Frames::as_const() const {
  ConstFrames frames;
  frames.data = data;
  frames.count = count;
  frames.size = size;
  frames.bytes = bytes;
  return frames;
}

FrameBuffer::FrameBuffer(const FrameFormat& format, Index count) {
  resize(format, count);
  std::ranges::fill(storage_.flat(), std::uint8_t{0});
}

void FrameBuffer::resize(const FrameFormat& format, Index count) { resize(format.bytes(), format.size(), count); }

void FrameBuffer::resize(int bytes, Index size, Index count) {
  storage_.resize(count, size * bytes);
  bytes_ = bytes;
}

Frames FrameBuffer::frames() {
  Frames frames;
  frames.data = storage_.data();
  frames.count = storage_.rows();
  frames.size = storage_.cols() / bytes_;
  frames.bytes = bytes_;
  return frames;
}

ConstFrames FrameBuffer::frames() const {
  ConstFrames frames;
  frames.data = storage_.data();
  frames.count = storage_.rows();
  frames.size = storage_.cols() / bytes_;
  frames.bytes = bytes_;
  return frames;
}

}  // namespace lightloop
