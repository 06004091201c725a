#pragma once
// How real numbers become binary patterns. A row becomes a short list of patterns b_k with whole-number weights w_k, so
// that whatever is linear can be put together again: B x = scale * sum_k w_k B b_k.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/array.hpp"

namespace lightloop {

/// out_i = 1 where x_i > dead_zone, -1 where x_i < -dead_zone, else 0. The same function on and off a device.
void ternary(std::span<const float> x, float dead_zone, std::span<float> out);

/// What a row is turned into.
struct Encoding {
  enum class Kind { threshold, ternary, bitplanes };
  Kind kind = Kind::ternary;
  int bits = 1;            ///< bit planes per sign
  float dead_zone = 0.1f;  ///< threshold and ternary
  float full_scale = 0;    ///< bit planes: the largest magnitude; 0: that of each row
  bool feedback = false;   ///< carry what a row's code left out into the next row
  Index patterns() const;  ///< per row: threshold 1, ternary 2, bit planes 2 * bits
};

/// Reads "ternary", "threshold" or "bitplanes:N" (N 1..12) into kind and bits; throws UnknownName or OutOfRange.
Encoding parse_encoding(const std::string& text);

/// Codes rows one after the other; keeps its memory.
///
/// threshold: b = [x > dead_zone], weight 1. ternary: b_0 = [x > dead_zone], b_1 = [x < -dead_zone], weights 1 and -1.
/// bitplanes: q = round(|x| / s * (2^N - 1)); plane p of the positive and of the negative entries stand side by side
/// with weights 2^p and -2^p, highest plane first; the scale is s / (2^N - 1), with s the largest magnitude of the row
/// or the fixed full scale. Rounding error of an entry: at most s / (2 (2^N - 1)).
///
/// With feedback the residual x - code(x) of a row is added to the next row coded (first-order noise shaping over the
/// samples: their sum stays right while single rows get noisier). It makes the code depend on the order of rows, never
/// on how they are cut into batches.
class Encoder {
 public:
  Encoder(Encoding encoding, Index inputs);

  const Encoding& encoding() const { return encoding_; }
  /// Throws InvalidParameter for a value that is not finite, OutOfRange for one above the fixed full scale.
  void check(View<const float> x) const;
  /// Codes one row; the accessors below then speak of it.
  void encode(std::span<const float> x);

  std::span<const std::uint8_t> pattern(Index k) const { return patterns_.row(k); }
  float weight(Index k) const { return weights_[static_cast<std::size_t>(k)]; }
  bool empty(Index k) const { return ones_[static_cast<std::size_t>(k)] == 0; }
  float scale() const { return scale_; }

  /// What feedback carries; empty without feedback.
  std::span<float> residual() { return residual_; }

 private:
  void encode_signs(std::span<const float> x);
  void encode_planes(std::span<const float> x);
  void carry(std::span<const float> x);

  Encoding encoding_;
  Matrix<std::uint8_t> patterns_;
  std::vector<float> weights_;
  std::vector<Index> ones_;
  float scale_ = 1;
  std::vector<float> residual_, shaped_;
};

}  // namespace lightloop
