#pragma once
// The strongly scattering medium: a dense complex Gaussian transmission matrix and how its entries drift.
#include <cstdint>
#include <span>

#include "core/array.hpp"
#include "core/random.hpp"

namespace lightloop {

/// H: iid circular complex Gaussian, E|h|^2 = 1 (real and imaginary part of variance 1/2 each), plus the field of one
/// background source with the same law.
///
/// Storage: matrix() is (inputs, 2 * grains * pixels), the planes of a row in the order (grain 0 re, grain 0 im,
/// grain 1 re, ...), so that the fields of a batch X are one real product X * matrix(). background() is one such row.
/// Randomness: entry (pixel p, grain g, input j) is Stream transmission_matrix at row p + g 2^40, columns 2j and 2j +
/// 1; background: Stream background_field, same rows, columns 0 and 1 (fabrication). It depends on nothing else: more
/// pixels, grains or inputs leave the entries that were there as they are.
class TransmissionMatrix {
 public:
  TransmissionMatrix() = default;
  TransmissionMatrix(std::uint64_t seed, std::uint64_t instance, Index inputs, Index pixels, Index grains);

  Index inputs() const { return entries_.rows() - 1; }
  Index pixels() const { return pixels_; }
  Index grains() const { return grains_; }
  View<const float> matrix() const { return entries_.view().rows(0, inputs()); }
  std::span<const float> background() const { return entries_.row(inputs()); }

  /// H <- correlation H + sqrt(1 - correlation^2) G, background included, G a fresh matrix of the same law.
  ///
  /// G: Stream medium_drift, row = `step`, column = 2 * ((g pixels + p) (inputs + 1) + j) (drift).
  void evolve(double correlation, std::uint64_t step);

  /// All entries, for saving and restoring: (inputs + 1, 2 * grains * pixels).
  const Matrix<float>& entries() const { return entries_; }
  Matrix<float>& entries() { return entries_; }

 private:
  std::uint64_t seed_ = 0, instance_ = 0;
  Index pixels_ = 0, grains_ = 0;
  Matrix<float> entries_;  // inputs, then the background
};

}  // namespace lightloop
