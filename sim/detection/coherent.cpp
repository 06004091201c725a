#include "sim/detection/coherent.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace lightloop {

double CoherentReceiver::gain() const {
  return 2 * efficiency * visibility * std::sqrt(photons_signal * photons_local);
}

void CoherentReceiver::detect(double signal_norm, std::span<const double> local_norms, const Stream& photons,
                              const Stream& electrical, std::uint64_t row, std::span<float> work,
                              std::span<float> y) const {
  const std::size_t n = y.size();
  LIGHTLOOP_ASSERT(local_norms.size() == n && work.size() >= 4 * n);
  const double scale = gain(), signal = photons_signal * signal_norm;
  if (counts) {
    const std::span<float> means = work.first(2 * n), drawn = work.subspan(2 * n, 2 * n);
    for (std::size_t i = 0; i < n; ++i) {
      const double half = efficiency * (signal + photons_local * local_norms[i]) / 2 + dark;
      const double beat = scale * static_cast<double>(y[i]) / 2;
      means[2 * i] = static_cast<float>(std::max(0.0, half + beat));  // |beat| <= half but for rounding
      means[2 * i + 1] = static_cast<float>(std::max(0.0, half - beat));
    }
    photons.poisson_fast(row, 0, means, drawn);
    for (std::size_t i = 0; i < n; ++i) {
      const double counted = (static_cast<double>(drawn[2 * i]) - static_cast<double>(drawn[2 * i + 1])) / scale;
      const auto mean = static_cast<double>(y[i]);
      y[i] = static_cast<float>(count_sd == 1 ? counted : mean + count_sd * (counted - mean));
    }
  }
  if (electrons == 0) return;
  const std::span<float> xi = work.first(n);
  electrical.normal(row, 0, xi);
  const auto sd = static_cast<float>(electrons / scale);
  for (std::size_t i = 0; i < n; ++i) y[i] += sd * xi[i];
}

double quadrature_noise_sd(const PhotoreceiverModel& receiver, double bandwidth_hz, double local_w, double signal_w) {
  return std::sqrt(receiver.floor_density() * bandwidth_hz) /
         (2 * receiver.responsivity_a_w * std::sqrt(local_w * signal_w));
}

}  // namespace lightloop
