#include "devices/ring_bank/bus.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "core/units.hpp"

namespace lightloop::ring_bank {
namespace {
constexpr double kTurn = 2 * std::numbers::pi, kLightM = 299792458.0;
constexpr double kDark = 1e-12;  // of the power: a channel that a lossless ring takes whole

/// x of A x = b in b; A is symmetric and positive definite, and its lower triangle is lost.
void solve_in_place(Matrix<double>& a, Index n, std::span<double> b) {
  const auto at = [](Index i) { return static_cast<std::size_t>(i); };
  for (Index j = 0; j < n; ++j) {
    for (Index k = 0; k < j; ++k) a(j, j) -= a(j, k) * a(j, k);
    a(j, j) = std::sqrt(a(j, j));
    for (Index i = j + 1; i < n; ++i) {
      for (Index k = 0; k < j; ++k) a(i, j) -= a(i, k) * a(j, k);
      a(i, j) /= a(j, j);
    }
  }
  for (Index i = 0; i < n; ++i) {
    for (Index k = 0; k < i; ++k) b[at(i)] -= a(i, k) * b[at(k)];
    b[at(i)] /= a(i, i);
  }
  for (Index i = n - 1; i >= 0; --i) {
    for (Index k = i + 1; k < n; ++k) b[at(i)] -= a(k, i) * b[at(k)];
    b[at(i)] /= a(i, i);
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
      bends_(passed_) {
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
  for (std::size_t j = 0; j < n; ++j) {
    double through = 1;
    for (std::size_t k = 0; k < n; ++k) {
      const double psi = std::max(detuning[k], nearest_);
      const std::size_t apart = j >= k ? j - k : j + static_cast<std::size_t>(channels_) - k;
      const double c = std::cos(psi) * cos_[apart] - std::sin(psi) * sin_[apart],
                   s = std::sin(psi) * cos_[apart] + std::cos(psi) * sin_[apart];
      const double inverse = 1 / (square - 2 * round * c);
      passed_[k] = std::max((kept - 2 * round * c) * inverse, kDark);
      dropped_[k] = through * drop * inverse;
      bends_[k] = 2 * round * s * inverse;  // -d ln T_d
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
  const auto n = static_cast<Index>(detuning.size());
  normal_.resize(n, n);
  for (Index i = 0; i < n; ++i) {
    double right = 0;
    for (Index j = 0; j < n; ++j) right += slopes_(j, i) * change[static_cast<std::size_t>(j)];
    step[static_cast<std::size_t>(i)] = right;
    for (Index k = 0; k <= i; ++k) {
      double sum = i == k ? damping_ * damping_ : 0.0;
      for (Index j = 0; j < n; ++j) sum += slopes_(j, i) * slopes_(j, k);
      normal_(i, k) = sum;
    }
  }
  solve_in_place(normal_, n, step);
}

}  // namespace lightloop::ring_bank
