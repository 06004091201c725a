#include "sim/lasers/spin_flip.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "core/units.hpp"
#include "sim/lasers/spin_flip_make.hpp"

namespace lightloop {

void check_step(const LaserModel& m, const LaserGrid& grid, double pump, const std::string& who) {
  const double k = 0.5 / m.photon_lifetime_s, g = 1 / m.carrier_lifetime_s;
  struct Term {
    const char* name;
    double rate, most;
  };
  const Term terms[] = {
      {"the injection's detuning", 2 * std::numbers::pi * std::abs(m.detuning_hz), 0.5},
      {"the birefringence", grid.two_polarisations ? std::abs(m.birefringence_rad_per_s) : 0.0, 0.5},
      {"the relaxation oscillation", std::sqrt(2 * k * g * std::max(pump - 1, 0.0)), 0.3},
  };
  for (const Term& term : terms)
    if (term.rate * grid.step_s > term.most)
      throw OutOfRange(who + ": step_s is too long for " + term.name, format_quantity(grid.step_s, "s"),
                       "at most " + format_quantity(term.most / term.rate, "s"),
                       "Take a shorter step, or lower " + std::string(term.name) + ".");
}

void Lasers::reset(int lane, double mu) {
  const LaserModel& m = model(lane);
  const double k = 0.5 / m.photon_lifetime_s;
  const double least = grid().two_polarisations ? 1 - std::abs(m.dichroism_rate) / k : 1.0;
  // gain and loss balance: N / (1 + s I) = least; pump: mu = N (1 + I / (1 + s I))
  LaserState state;
  double intensity = std::max(mu / least - 1, 0.0) / (1 + m.saturation);
  state.carriers = intensity > 0 ? least * (1 + m.saturation * intensity) : std::min(mu, least);
  const double field = std::sqrt(intensity), other = grid().two_polarisations ? 1e-4 * field : 0.0;
  const bool x = !grid().two_polarisations || m.dichroism_rate <= 0;
  state.x = x ? field : other;
  state.y = x ? other : field;
  set_state(lane, state);
}

int vector_lanes(const LaserGrid& grid) { return grid.single_precision ? 16 : 8; }

std::unique_ptr<Lasers> make_lasers(const LaserGrid& grid, int lanes) {
  LIGHTLOOP_ASSERT(lanes == 1 || lanes == vector_lanes(grid));
  return grid.single_precision ? spin_flip::make_float(grid, lanes) : spin_flip::make_double(grid, lanes);
}

}  // namespace lightloop
