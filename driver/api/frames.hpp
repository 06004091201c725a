#pragma once
// Frames: the only thing that passes between a program and a device. Codes in, codes out, in the caller's memory.
#include <cstdint>
#include <string>
#include <vector>

#include "core/array.hpp"

namespace lightloop {

/// What one frame looks like: its shape, the bits of a code and their meaning.
struct FrameFormat {
  std::vector<Index> shape;                        ///< (height, width) for images, (n) for vectors
  int bits = 8;                                    ///< 1..16; codes lie in [0, 2^bits - 1]
  std::string meaning;                             ///< "mirror state", "camera code", "DAC code"
  Index size() const;                              ///< codes per frame
  int bytes() const { return bits <= 8 ? 1 : 2; }  ///< storage of one code
  std::uint32_t highest() const { return (1u << bits) - 1u; }
};

/// One extra code per frame beside the main input, e.g. the phase of a reference beam.
struct AuxFormat {
  std::string name;
  int bits = 8;
  std::uint32_t rest = 0;  ///< the value used when the caller gives none
  std::string help;
};

/// Input frames: a view of (count, size) codes of one or two bytes, plus optional auxiliary codes (count, n_aux).
///
/// The codes lie one after the other in memory (throws ShapeMismatch for a view with gaps).
struct ConstFrames {
  const void* data = nullptr;
  Index count = 0, size = 0;
  int bytes = 1;
  View<const std::uint16_t> aux = {};

  ConstFrames() = default;
  ConstFrames(View<const std::uint8_t> codes, View<const std::uint16_t> aux_codes = {});
  ConstFrames(View<const std::uint16_t> codes, View<const std::uint16_t> aux_codes = {});
  View<const std::uint8_t> u8() const;    ///< throws InternalError when the codes are two bytes wide
  View<const std::uint16_t> u16() const;  ///< throws InternalError when the codes are one byte wide
  std::uint32_t at(Index frame, Index i) const;
  ConstFrames slice(Index first, Index n) const;  ///< auxiliary codes included; throws OutOfRange
};

/// Output frames: the same, writable. The caller owns the memory.
struct Frames {
  void* data = nullptr;
  Index count = 0, size = 0;
  int bytes = 1;

  Frames() = default;
  explicit Frames(View<std::uint8_t> codes);
  explicit Frames(View<std::uint16_t> codes);
  View<std::uint8_t> u8() const;
  View<std::uint16_t> u16() const;
  std::uint32_t at(Index frame, Index i) const;
  void set(Index frame, Index i, std::uint32_t code) const;
  Frames slice(Index first, Index n) const;
  ConstFrames as_const() const;
  operator ConstFrames() const { return as_const(); }  // NOLINT: whoever may write may read
};

/// Memory for frames of one format, made with all codes 0. `resize` keeps storage that is large enough; after it the
/// codes are unspecified.
class FrameBuffer {
 public:
  FrameBuffer() = default;
  FrameBuffer(const FrameFormat& format, Index count);
  void resize(const FrameFormat& format, Index count);
  void resize(int bytes, Index size, Index count);
  Frames frames();
  ConstFrames frames() const;

 private:
  Matrix<std::uint8_t> storage_;
  int bytes_ = 1;
};

}  // namespace lightloop
