#include "sim/detection/photoreceiver.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <string>

#include "core/error.hpp"

namespace lightloop {
namespace {

constexpr double kLeastTap = 1e-6;

void check_order(int order) {
  if (order < 1 || order > 8) throw OutOfRange("low-pass: order", std::to_string(order), "1 to 8");
}

/// Step response of a Butterworth low-pass in partial fractions: 1 + sum of c exp(p w t).
struct Step {
  Step(int order, double cutoff_hz) : rate(2 * std::numbers::pi * cutoff_hz) {
    check_order(order);
    for (int i = 1; i <= order; ++i)
      poles.push_back(std::polar(1.0, std::numbers::pi * (2 * i + order - 1) / (2 * order)));
    for (const auto& p : poles) {
      std::complex<double> product = p;
      for (const auto& other : poles)
        if (other != p) product *= p - other;
      residues.push_back(1.0 / product);
    }
  }
  double at(double t) const {
    double sum = 1;
    for (std::size_t i = 0; i < poles.size(); ++i) sum += (residues[i] * std::exp(poles[i] * (rate * t))).real();
    return sum;
  }
  /// When what is left to come is below kLeastTap for good.
  double settled() const {
    double all = 0, slowest = 1;
    for (std::size_t i = 0; i < poles.size(); ++i) {
      all += std::abs(residues[i]);
      slowest = std::min(slowest, -poles[i].real());
    }
    return std::log(all / kLeastTap) / (slowest * rate);
  }
  double rate;
  std::vector<std::complex<double>> poles, residues;
};

void check_symbol(double cutoff_hz, double symbol_s) {
  if (!(cutoff_hz > 0) || !(symbol_s > 0))
    throw OutOfRange("symbol response: cutoff and symbol",
                     std::to_string(cutoff_hz) + " Hz, " + std::to_string(symbol_s) + " s", "above 0");
}

}  // namespace

double PhotoreceiverModel::density(double current_a) const {
  const double thermal = load_ohm > 0 ? 4 * kBoltzmann * temperature_k / load_ohm : 0;
  return 2 * kElectronCharge * (std::abs(current_a) + dark_a) + thermal + amplifier_a_hz * amplifier_a_hz +
         rin_per_hz * current_a * current_a;
}

double butterworth_noise_bandwidth(int order, double cutoff_hz) {
  const double angle = std::numbers::pi / (2 * order);
  return cutoff_hz * angle / std::sin(angle);
}

double symbols_to_settle(int order, double cutoff_hz, double symbol_s) {
  check_symbol(cutoff_hz, symbol_s);
  return std::ceil(Step(order, cutoff_hz).settled() / symbol_s);
}

std::vector<double> symbol_response(int order, double cutoff_hz, double symbol_s) {
  check_symbol(cutoff_hz, symbol_s);
  const Step step(order, cutoff_hz);
  std::vector<double> taps;
  double before = 0, sum = 0;
  for (auto n = static_cast<Index>(std::ceil(step.settled() / symbol_s)); n > 0; --n) {
    const double now = step.at(static_cast<double>(taps.size() + 1) * symbol_s);
    taps.push_back(now - before);
    before = now;
  }
  while (taps.size() > 1 && std::abs(taps.back()) < kLeastTap) taps.pop_back();
  for (const double tap : taps) sum += tap;
  for (double& tap : taps) tap /= sum;
  return taps;
}

LowPass::LowPass(int order, double cutoff_hz, double sample_hz) : sample_hz_(sample_hz) {
  check_order(order);
  if (!(cutoff_hz > 0) || !(cutoff_hz < sample_hz / 2))
    throw OutOfRange("low-pass: cutoff", std::to_string(cutoff_hz) + " Hz",
                     "between 0 and half of the sample rate of " + std::to_string(sample_hz) + " Hz");
  const double w = std::tan(std::numbers::pi * cutoff_hz / sample_hz);
  for (int k = 0; k < order / 2; ++k) {  // pairs of poles, s^2 + 2 sin(..) s + 1
    const double damping = 2 * std::sin(std::numbers::pi * (2 * k + 1) / (2 * order));
    const double norm = 1 / (1 + damping * w + w * w), b = w * w * norm;
    sections_.push_back({b, 2 * b, b, 2 * (w * w - 1) * norm, (1 - damping * w + w * w) * norm});
  }
  if (order % 2 == 1) {
    const double norm = 1 / (1 + w), b = w * norm;
    sections_.push_back({b, b, 0, (w - 1) * norm, 0});
  }
  // Sum of squares of the impulse response, until nothing comes any more.
  double recent = 1, input = 1;
  for (int n = 0; n < 10 || recent > 1e-18 * noise_gain_; ++n) {
    const double h = next(input);
    input = 0;
    noise_gain_ += h * h;
    recent = 0.9 * recent + h * h;
  }
  reset();
}

double LowPass::next(double x) {
  for (Section& s : sections_) {
    const double y = s.b0 * x + s.z1;
    s.z1 = s.b1 * x - s.a1 * y + s.z2;
    s.z2 = s.b2 * x - s.a2 * y;
    x = y;
  }
  return x;
}

void LowPass::reset() {
  for (Section& s : sections_) s.z1 = s.z2 = 0;
}

double shot_limited_current(double bits, double bandwidth_hz) {
  return 24 * kElectronCharge * bandwidth_hz * std::exp2(2 * bits);
}

double thermal_limited_current(double bits, double bandwidth_hz, double load_ohm, double temperature_k) {
  return std::exp2(bits) * std::sqrt(48 * kBoltzmann * temperature_k * bandwidth_hz / load_ohm);
}

}  // namespace lightloop
