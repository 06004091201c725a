#pragma once
// Fourier transforms of real series.
#include <complex>
#include <memory>
#include <span>

#include "core/array.hpp"

namespace lightloop {

/// Transforms of one length: forward sum x_n exp(-2 pi i k n / N) without a factor, inverse with 1/N. Half spectra, k =
/// 0 to N/2. One thread at a time. Equal data give equal bits.
class RealFft {
 public:
  /// Throws OutOfRange below 2 points, Unsupported in a build without FFTW.
  explicit RealFft(Index points);
  ~RealFft();
  RealFft(RealFft&&) noexcept;
  RealFft& operator=(RealFft&&) noexcept;
  Index points() const;
  /// Sizes N and N/2 + 1 (ShapeMismatch).
  void forward(std::span<const double> x, std::span<std::complex<double>> spectrum);
  void inverse(std::span<const std::complex<double>> spectrum, std::span<double> x);
  static bool available();

 private:
  struct Plans;
  std::unique_ptr<Plans> plans_;
};

}  // namespace lightloop
