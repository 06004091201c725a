#include "devices/ring_bank/bus.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "core/error.hpp"
#include "core/units.hpp"

namespace lightloop::ring_bank {
namespace {
constexpr double kTurn = 2 * std::numbers::pi, kLightM = 299792458.0;
constexpr double kDark = 1e-12;  // of the power: a channel that a lossless ring takes whole

/// x of A x = b in b, by Cholesky; of the symmetric A, which is positive definite, only the upper triangle is read and
/// lost. Inner loops run along rows.
void solve_in_place(Matrix<double>& a, std::span<double> b) {
  const std::size_t n = b.size();
  const auto row = [&](std::size_t i) { return a.row(static_cast<Index>(i)); };
  for (std::size_t j = 0; j < n; ++j) {
    const std::span<double> pivot = row(j);
    const double root = 1 / std::sqrt(pivot[j]);
    for (std::size_t k = j; k < n; ++k) pivot[k] *= root;
    b[j] *= root;
    for (std::size_t i = j + 1; i < n; ++i) {
      const std::span<double> below = row(i);
      for (std::size_t k = i; k < n; ++k) below[k] -= pivot[i] * pivot[k];
      b[i] -= pivot[i] * b[j];
    }
  }
  for (std::size_t i = n; i-- > 0;) {
    const std::span<double> pivot = row(i);
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= pivot[k] * b[k];
    b[i] /= pivot[i];
  }
}
}  // namespace

AddDropRing nominal_ring(const ParamSet& p) {
  const double given = p.real("ring.self_coupling");
  const double r = given > 0 ? given : measured_self_coupling(p.real("ring.radius_m"), p.real("ring.gap_m"));
  const double db = p.real("ring.loss_db_cm") * 100 * kTurn * p.real("ring.radius_m");
  return {r, r, std::pow(10.0, -db / 20)};
}

void check_spectrum(const ParamSet& p, const std::string& model) {
  const double finesse = nominal_ring(p).finesse(), rate = p.real("symbol_rate_hz");
  const Index channels = p.integer("channels");
  const std::string sharper = "more finesse (a higher ring.self_coupling or ring.gap_m, a lower ring.loss_db_cm)";
  if (channels > 1 && static_cast<double>(channels) > finesse)
    throw OutOfRange(
        model + ": channels", std::to_string(channels),
        "at most " + std::to_string(std::max<Index>(1, static_cast<Index>(finesse))) + ", the finesse of the rings",
        "Channels less than a linewidth apart are one to a ring. Take fewer, or " + sharper + ".");
  const double range_hz = kLightM / (MeasuredRings::kGroupIndex * kTurn * p.real("ring.radius_m"));
  if (const double width = range_hz / finesse; rate > width)
    throw OutOfRange(model + ": symbol_rate_hz", format_quantity(rate, "Hz"),
                     "at most " + format_quantity(width, "Hz") + ", the linewidth of the rings",
                     "Rings do not follow faster symbols. Lower the rate, ring.radius_m, ring.gap_m or "
                     "ring.self_coupling.");
}

BusStep::BusStep(const AddDropRing& ring, Index channels, double steepest, double nearest)
    : ring_(ring),
      channels_(channels),
      damping_(0.05 * steepest),
      nearest_(nearest),
      passed_(static_cast<std::size_t>(channels)),
      dropped_(passed_),
      bends_(passed_),
      ring_cos_(passed_),
      ring_sin_(passed_) {
  for (Index j = 0; j < channels; ++j) {
    const double angle = kTurn * static_cast<double>(j) / static_cast<double>(channels);
    cos_.push_back(std::cos(angle));
    sin_.push_back(std::sin(angle));
  }
}

void BusStep::linearise(std::span<const double> detuning) {
  const std::size_t n = detuning.size();
  const double round = ring_.r1 * ring_.r2 * ring_.a, square = 1 + round * round;
  const double kept = ring_.r2 * ring_.r2 * ring_.a * ring_.a + ring_.r1 * ring_.r1;
  const double drop = (1 - ring_.r1 * ring_.r1) * (1 - ring_.r2 * ring_.r2) * ring_.a;
  slopes_.resize(static_cast<Index>(n), static_cast<Index>(n));
  for (std::size_t k = 0; k < n; ++k) {
    const double psi = std::max(detuning[k], nearest_);
    ring_cos_[k] = 2 * round * std::cos(psi);
    ring_sin_[k] = 2 * round * std::sin(psi);
  }
  for (std::size_t j = 0; j < n; ++j) {
    double through = 1;
    for (std::size_t k = 0; k < n; ++k) {
      const std::size_t apart = j >= k ? j - k : j + static_cast<std::size_t>(channels_) - k;
      const double c = ring_cos_[k] * cos_[apart] - ring_sin_[k] * sin_[apart],
                   s = ring_sin_[k] * cos_[apart] + ring_cos_[k] * sin_[apart];
      const double inverse = 1 / (square - c);
      passed_[k] = std::max((kept - c) * inverse, kDark);
      dropped_[k] = through * drop * inverse;
      bends_[k] = s * inverse;  // -d ln T_d
      through *= passed_[k];
    }
    double behind = 0;  // dropped by the rings after k, which get less where k passes less
    for (std::size_t k = n; k-- > 0;) {
      const double passes = bends_[k] * (1 - passed_[k]) / passed_[k];  // d ln T_t
      slopes_(static_cast<Index>(j), static_cast<Index>(k)) = passes * (behind - through) - bends_[k] * dropped_[k];
      behind += dropped_[k];
    }
  }
}

void BusStep::solve(std::span<const double> detuning, std::span<const double> change, std::span<double> step) {
  linearise(detuning);
  const std::size_t n = detuning.size();
  normal_.resize(static_cast<Index>(n), static_cast<Index>(n));
  std::ranges::fill(normal_.flat(), 0.0);
  std::ranges::fill(step, 0.0);
  for (std::size_t j = 0; j < n; ++j) {
    const std::span<const double> slope = std::as_const(slopes_).row(static_cast<Index>(j));
    for (std::size_t i = 0; i < n; ++i) {
      const std::span<double> sums = normal_.row(static_cast<Index>(i));
      for (std::size_t k = i; k < n; ++k) sums[k] += slope[i] * slope[k];
      step[i] += slope[i] * change[j];
    }
  }
  for (std::size_t i = 0; i < n; ++i) normal_(static_cast<Index>(i), static_cast<Index>(i)) += damping_ * damping_;
  solve_in_place(normal_, step);
}

}  // namespace lightloop::ring_bank
