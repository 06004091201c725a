#pragma once
// Inter-symbol interference: what a receiver's low-pass filter, read at the end of every frame, still holds of former
// ones.
#include <span>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/param.hpp"

namespace lightloop {

/// y_f = sum_k h_k x_(f - k) over the rows of one call after the other, h the taps of symbol_response(). Before the
/// first row, and after rest(), x was 0 for long. The bits do not depend on how rows are grouped into calls.
class SymbolFilter {
 public:
  /// Of detector.order, detector.bandwidth_hz and symbol_rate_hz; order 0 has no memory. Throws OutOfRange naming
  /// `model` where a step takes more than 256 frames to settle, and where h_0 is not the largest.
  static std::vector<double> taps(const ParamSet& params, const std::string& model);

  /// What is remembered stays; with more taps, rows before it were 0.
  void set(const std::vector<double>& taps, Index outputs);
  bool remembers() const { return past_.rows() > 0; }
  /// Adds filtered x - x to y, both (frames, outputs), and remembers x.
  void apply(View<const float> x, View<float> y);
  void rest();
  const Matrix<float>& past() const { return past_; }  ///< state: the rows that the next ones see, the latest last
  Matrix<float>& past() { return past_; }

 private:
  void remember(View<const float> x);
  std::vector<float> taps_{1.0f};
  Matrix<float> past_, next_;
};

}  // namespace lightloop
