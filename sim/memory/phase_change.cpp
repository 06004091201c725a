#include "sim/memory/phase_change.hpp"

#include <algorithm>
#include <cmath>

#include "core/vector_math.hpp"

namespace lightloop::phase_change {
namespace {

constexpr double kLeast = 1e-9;  // u of a cell that holds nothing: all clips of the fits act far above it
constexpr double kReadScale = 0.0088, kReadPower = 0.65, kReadMost = 0.2;

double log_u(double u) { return std::log(std::max(u, kLeast)); }
double read_log(double t_s) { return std::log((t_s + kDriftStartS + kReadS) / (2 * kReadS)); }

}  // namespace

double programming_sd(double u) { return (0.26348 + 1.9650 * u - 1.1731 * u * u) / kMaxMicrosiemens; }
double drift_mean(double u) { return std::clamp(-0.0155 * log_u(u) + 0.0244, 0.049, 0.1); }
double drift_sd(double u) { return std::clamp(-0.0125 * log_u(u) - 0.0059, 0.008, 0.045); }
double drift_factor(double nu, double t_s) { return std::pow((t_s + kDriftStartS) / kDriftStartS, -nu); }

double read_sd(double u, double t_s) {
  return std::min(kReadScale / std::pow(std::max(u, kLeast), kReadPower), kReadMost) * std::sqrt(read_log(t_s));
}

void read_variance(std::span<const float> written, std::span<const float> now, double t_s, std::span<float> out) {
  const auto log = static_cast<float>(read_log(t_s));
  constexpr auto kScale = static_cast<float>(kReadScale * kReadScale),
                 kMost = static_cast<float>(kReadMost * kReadMost);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = std::max(written[i], static_cast<float>(kLeast));
  vector_log(out, out);
  for (float& value : out) value *= static_cast<float>(-2 * kReadPower);
  vector_exp(out, out);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = std::min(kScale * out[i], kMost) * log * now[i] * now[i];
}

}  // namespace lightloop::phase_change
