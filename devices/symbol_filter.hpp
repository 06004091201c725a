#pragma once
// Inter-symbol interference: what a receiver's low-pass filter, read at the end of every frame, still holds of former
// ones.
#include <array>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/array.hpp"
#include "core/bytes.hpp"
#include "core/param.hpp"

namespace lightloop {

/// y_f = sum_k h_k x_(f - k) over the rows of one call after the other, h the taps of symbol_response(). Before the
/// first row, and after rest(), x was 0 for long. The bits do not depend on how rows are grouped into calls.
class SymbolFilter {
 public:
  /// Of detector.order, detector.bandwidth_hz and frames of this length; order 0 has no memory. Throws OutOfRange
  /// naming `model` where a step takes more than 256 frames to settle, and where h_0 is not the largest.
  static std::vector<double> taps(const ParamSet& params, const std::string& model, double frame_s);

  /// What is remembered stays; with more taps, rows before it were 0.
  void set(const std::vector<double>& taps, Index outputs);
  bool remembers() const { return past_.rows() > 0; }
  /// Adds filtered x - x to y, both (frames, outputs), and remembers x.
  void apply(View<const float> x, View<float> y);
  /// `rows` rows of 0.
  void wait(Index rows);
  void rest() { wait(past_.rows()); }
  /// State: the rows that the next ones see, the latest last.
  void put(ByteWriter& bytes) const;
  /// Reads what put() wrote, and takes nothing yet. Throws InvalidParameter for another number of rows than are
  /// remembered, and for numbers that are not finite.
  Matrix<float> get(ByteReader& bytes) const;
  void take(Matrix<float> past) { past_ = std::move(past); }

 private:
  void remember(View<const float> x);
  std::vector<float> taps_{1.0f};
  Matrix<float> past_, next_;
};

/// The receivers at both ends of a device that runs in two directions: those of the outputs, which read a forward pass,
/// and of the inputs, which read a transposed one. While one end reads, the other is in the dark.
class TwoEnds {
 public:
  void set(const std::vector<double>& taps, Index outputs, Index inputs);
  /// The filter that reads `frames` frames of this pass (0 forward, 1 transposed), the other end waiting meanwhile;
  /// nullptr where nothing is remembered.
  SymbolFilter* reading(std::size_t pass, Index frames);
  void rest();
  void put(ByteWriter& bytes) const;
  std::array<Matrix<float>, 2> get(ByteReader& bytes) const;
  void take(std::array<Matrix<float>, 2> past);

 private:
  SymbolFilter ends_[2];
};

}  // namespace lightloop
