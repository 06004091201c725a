// The part of LaserBench that listens: intensity noise and phase diffusion.
#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include "sim/lasers/laser_measure.hpp"
#include "sim/lasers/laser_run.hpp"

namespace lightloop {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;
constexpr int kLanes = bench::kLanes;
using bench::Each;
using bench::Run;

}  // namespace

LaserBench::Noise LaserBench::intensity_noise(double pump, int segments) const {
  const Ringing ring = ringing(pump);
  const SideBySide source(seed_, 0, Purpose::laser_spontaneous);
  Run run{lasers(kLanes)};
  run.all(pump);
  run.noise = &source;
  for (int lane = 0; lane < kLanes; ++lane) run.lasers->reset(lane, pump);
  run.advance(std::llround(10 / ring.damping_per_s / grid_.step_s));
  const Index stride = std::max<Index>(1, static_cast<Index>(0.05 / (ring.frequency_hz * grid_.step_s)));
  const double dt = static_cast<double>(stride) * grid_.step_s;
  const auto length = static_cast<std::size_t>(10 / ring.damping_per_s / dt);
  constexpr std::size_t kBins = 81;  // half to one and a half times the frequency
  std::array<double, kBins> power{};
  const auto frequency = [&](std::size_t bin) {
    return ring.frequency_hz * (0.5 + static_cast<double>(bin) / (kBins - 1));
  };
  std::vector<Each> light(length);
  double sum = 0, square = 0;
  for (int segment = 0; segment < segments; ++segment) {
    for (Each& sample : light) {
      run.advance(stride);
      for (std::size_t i = 0; i < kLanes; ++i) {
        sample[i] = run.lasers->state(static_cast<int>(i)).intensity();
        sum += sample[i];
        square += sample[i] * sample[i];
      }
    }
    const double mean = sum / (static_cast<double>(segment + 1) * static_cast<double>(length) * kLanes);
    for (std::size_t bin = 0; bin < kBins; ++bin) {
      std::array<std::complex<double>, kLanes> total{};
      const std::complex<double> turn = std::polar(1.0, kTurn * frequency(bin) * dt);
      std::complex<double> phase = 1;
      for (std::size_t n = 0; n < length; ++n, phase *= turn) {
        const double window = 1 - std::cos(kTurn * (static_cast<double>(n) + 0.5) / static_cast<double>(length));
        for (std::size_t i = 0; i < kLanes; ++i) total[i] += window * (light[n][i] - mean) * phase;
      }
      for (const auto& z : total) power[bin] += std::norm(z);
    }
  }
  // parabola through log power within half a width of the highest bin
  const auto top = static_cast<std::size_t>(std::ranges::max_element(power) - power.begin());
  const double width = std::max(ring.damping_per_s / kTurn * 2, 4 * ring.frequency_hz / (kBins - 1));
  double s[5] = {}, t[3] = {};
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    const double u = (frequency(bin) - frequency(top)) / width, y = std::log(power[bin]);
    if (std::abs(u) > 0.5) continue;
    for (int p = 0; p < 5; ++p) s[p] += std::pow(u, p);
    for (int p = 0; p < 3; ++p) t[p] += y * std::pow(u, p);
  }
  // normal equations of y = c0 + c1 u + c2 u^2 by Cramer's rule; the peak is at -c1 / (2 c2)
  const double c1 =
      s[0] * (t[1] * s[4] - t[2] * s[3]) - t[0] * (s[1] * s[4] - s[2] * s[3]) + s[2] * (s[1] * t[2] - s[2] * t[1]);
  const double c2 =
      s[0] * (s[2] * t[2] - s[3] * t[1]) - s[1] * (s[1] * t[2] - s[2] * t[1]) + t[0] * (s[1] * s[3] - s[2] * s[2]);
  const double count = static_cast<double>(segments) * static_cast<double>(length) * kLanes, mean = sum / count;
  return {frequency(top) - width * c1 / (2 * c2), std::sqrt(std::max(square / count - mean * mean, 0.0)) / mean};
}

double LaserBench::phase_diffusion(double pump, int lags) const {
  const Ringing ring = ringing(pump);
  const SideBySide source(seed_ + 1, 0, Purpose::laser_spontaneous);
  Run run{lasers(kLanes)};
  run.all(pump);
  run.noise = &source;
  for (int lane = 0; lane < kLanes; ++lane) run.lasers->reset(lane, pump);
  run.advance(std::llround(10 / ring.damping_per_s / grid_.step_s));
  // the phase is followed in pieces of a twentieth of the ringing's period
  const Index piece = std::max<Index>(1, static_cast<Index>(0.05 / (ring.frequency_hz * grid_.step_s)));
  const Index pieces = std::llround(50 / ring.damping_per_s / (static_cast<double>(piece) * grid_.step_s));
  double square = 0;
  for (int lag = 0; lag < lags; ++lag) {
    Each turned{};
    for (Index p = 0; p < pieces; ++p) {
      std::array<std::complex<double>, kLanes> before;
      for (int i = 0; i < kLanes; ++i) before[static_cast<std::size_t>(i)] = run.lasers->state(i).x;
      run.advance(piece);
      for (int i = 0; i < kLanes; ++i)
        turned[static_cast<std::size_t>(i)] += std::arg(run.lasers->state(i).x / before[static_cast<std::size_t>(i)]);
    }
    for (const double phase : turned) square += phase * phase;
  }
  const double lag_s = static_cast<double>(pieces) * static_cast<double>(piece) * grid_.step_s;
  return square / (kLanes * lags) / lag_s;
}

}  // namespace lightloop
