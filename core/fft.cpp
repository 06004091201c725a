#include "core/fft.hpp"

#include <algorithm>
#include <mutex>
#include <string>

#include "core/error.hpp"

#ifdef LIGHTLOOP_HAS_FFTW
#include <fftw3.h>
#endif

namespace lightloop {

#ifdef LIGHTLOOP_HAS_FFTW

namespace {
std::mutex planning;  // FFTW plans one at a time; transforms may run side by side
}

struct RealFft::Plans {
  explicit Plans(Index n) : points(n) {
    const std::lock_guard lock(planning);
    const auto size = static_cast<int>(n);
    x = fftw_alloc_real(static_cast<std::size_t>(n));
    spectrum = fftw_alloc_complex(static_cast<std::size_t>(n / 2 + 1));
    // Estimated plans do not depend on the clock, so neither do the last bits.
    to = fftw_plan_dft_r2c_1d(size, x, spectrum, FFTW_ESTIMATE);
    back = fftw_plan_dft_c2r_1d(size, spectrum, x, FFTW_ESTIMATE);
  }
  ~Plans() {
    const std::lock_guard lock(planning);
    fftw_destroy_plan(to);
    fftw_destroy_plan(back);
    fftw_free(x);
    fftw_free(spectrum);
  }
  Plans(const Plans&) = delete;
  Plans& operator=(const Plans&) = delete;
  Index points;
  double* x;
  fftw_complex* spectrum;
  fftw_plan to, back;
};

bool RealFft::available() { return true; }

RealFft::RealFft(Index points) {
  if (points < 2 || points > (Index{1} << 30)) throw OutOfRange("FFT", std::to_string(points) + " points", "2 to 2^30");
  plans_ = std::make_unique<Plans>(points);
}

Index RealFft::points() const { return plans_->points; }

void RealFft::forward(std::span<const double> x, std::span<std::complex<double>> spectrum) {
  const auto n = static_cast<std::size_t>(plans_->points);
  if (x.size() != n || spectrum.size() != n / 2 + 1)
    throw ShapeMismatch("FFT", std::to_string(x.size()) + " points", std::to_string(n) + " planned");
  std::ranges::copy(x, plans_->x);
  fftw_execute(plans_->to);
  for (std::size_t k = 0; k < spectrum.size(); ++k) spectrum[k] = {plans_->spectrum[k][0], plans_->spectrum[k][1]};
}

void RealFft::inverse(std::span<const std::complex<double>> spectrum, std::span<double> x) {
  const auto n = static_cast<std::size_t>(plans_->points);
  if (x.size() != n || spectrum.size() != n / 2 + 1)
    throw ShapeMismatch("FFT", std::to_string(x.size()) + " points", std::to_string(n) + " planned");
  for (std::size_t k = 0; k < spectrum.size(); ++k) {
    plans_->spectrum[k][0] = spectrum[k].real();
    plans_->spectrum[k][1] = spectrum[k].imag();
  }
  fftw_execute(plans_->back);
  for (std::size_t i = 0; i < n; ++i) x[i] = plans_->x[i] / static_cast<double>(n);
}

#else

struct RealFft::Plans {};
bool RealFft::available() { return false; }
RealFft::RealFft(Index points) {
  throw Unsupported("FFT of " + std::to_string(points) + " points", "this build has no FFTW", "",
                    "Install libfftw3-dev and configure again.");
}
Index RealFft::points() const { return 0; }
void RealFft::forward(std::span<const double>, std::span<std::complex<double>>) {}
void RealFft::inverse(std::span<const std::complex<double>>, std::span<double>) {}

#endif

RealFft::~RealFft() = default;
RealFft::RealFft(RealFft&&) noexcept = default;
RealFft& RealFft::operator=(RealFft&&) noexcept = default;

}  // namespace lightloop
