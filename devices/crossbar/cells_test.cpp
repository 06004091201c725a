// The memory of a crossbar by itself.
#include "devices/crossbar/cells.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "devices/crossbar/crossbar.hpp"
#include "sim/memory/phase_change.hpp"

namespace lightloop::crossbar {

TEST_CASE("a stuck phase-change device is read with the noise of what it is, not of what was written into it") {
  const ParamSet params = Registry().resolve(model(), {{"cell.kind", std::string("phase_change")},
                                                       {"cell.stuck_off", 0.5},
                                                       {"cell.stuck_on", 0.5},  // every device is one or the other
                                                       {"input.size", std::int64_t{20}},
                                                       {"output.size", std::int64_t{10}}});
  Cells cells(params);
  cells.write(std::vector<std::uint16_t>(200, 140), 128, 1);
  for (const Index step : {Index{0}, Cells::step(3600)}) {
    cells.age(step);
    const double full = std::pow(phase_change::read_sd(1, Cells::age_of(step)), 2);
    for (Index i = 0; i < 200; ++i) {
      const double on = std::round(double(cells.conductances().matrix().data()[i]));  // of the pair: 0, 1 or 2
      CHECK(double(cells.read_variances().matrix().data()[i]) == Approx(on * full).epsilon(1e-4).margin(1e-12));
    }
  }
}

namespace {

ParamSet pairs(const char* kind, const Settings& more) {
  Settings settings{{"cell.kind", std::string(kind)},
                    {"pulse.pair", true},
                    {"pulse.step", 0.01},
                    {"pulse.step_spread", 0.0},
                    {"pulse.asymmetry_spread", 0.0},
                    {"pulse.bound_spread", 0.0},
                    {"pulse.cycle_noise", 0.0},
                    {"input.size", std::int64_t{20}},
                    {"output.size", std::int64_t{20}}};
  for (const auto& [key, value] : more) settings[key] = value;
  return Registry().resolve(model(), settings);
}

std::vector<std::uint16_t> all(int pulses) {
  return std::vector<std::uint16_t>(400, static_cast<std::uint16_t>(128 + pulses));
}

}  // namespace

TEST_CASE("pairs that pulses have worn are refreshed: weight kept, both sides' range back, pulses counted") {
  Cells worn(pairs("constant_step", {{"pulse.refresh", 0.0}})), fresh(pairs("constant_step", {}));
  CHECK(worn.sent().pulses == 400 * (2 + 50));  // before the first write: both sides erased, half the range
  CHECK(worn.sent().longest == 20 * (1 + 100));
  for (Cells* cells : {&worn, &fresh}) {
    cells->pulse(all(40), 128, 1);
    CHECK(cells->sent().pulses == 400 * 40);
    cells->pulse(all(-30), 128, 2);
    for (Index i = 0; i < 400; ++i) CHECK(double(cells->weights().matrix().data()[i]) == Approx(0.1).margin(1e-6));
  }
  CHECK(worn.sent().pulses == 400 * 30);
  CHECK(fresh.sent().pulses == Approx(400 * (30 + 2 + 10)));  // pulses, erasing both sides, 0.1 again
  CHECK(fresh.sent().longest == Approx(20 * (30 + 1 + 10)));
  CHECK(double(worn.conductances().matrix()(0, 0)) == Approx(0.7));
  CHECK(double(fresh.conductances().matrix()(0, 0)) == Approx(0.1));
  for (std::uint64_t k = 3; k < 9; ++k)
    for (Cells* cells : {&worn, &fresh}) cells->pulse(all(k % 2 == 0 ? 40 : -40), 128, k);
  CHECK(double(worn.weights().matrix()(0, 0)) == 0);  // both sides full
  CHECK(double(fresh.weights().matrix()(0, 0)) == Approx(0.1).margin(1e-5));
}

// A refresh is a write: its error has at most 5/4 of the rms that write() leaves on cells with the same spreads. n 400
// pairs, one device.
TEST_CASE("a refresh keeps weights as well as a write does") {
  const Settings spread{{"pulse.step_spread", 0.2}, {"pulse.cycle_noise", 0.3}, {"pulse.bound_spread", 0.1}};
  for (const char* kind : {"constant_step", "soft_bounds"}) {
    INFO(kind);
    Settings never = spread;
    never["pulse.refresh"] = 0.0;
    Cells cells(pairs(kind, spread)), kept(pairs(kind, never)), written(pairs(kind, spread));
    for (Cells* one : {&cells, &kept}) {
      one->pulse(all(70), 128, 1);
      one->pulse(all(-50), 128, 2);
    }
    double refreshed = 0, error = 0, of_write = 0;
    written.write(all(20), 128, 1);
    for (Index i = 0; i < 400; ++i) {
      const auto at = [i](const Cells& of) { return double(of.weights().matrix().data()[i]); };
      refreshed += cells.conductances().matrix().data()[i] < kept.conductances().matrix().data()[i] - 0.1f;
      error += std::pow(at(cells) - at(kept), 2) / 400;
      of_write += std::pow(at(written) - 20.0 / 128, 2) / 400;
    }
    CHECK(refreshed > 350);
    CHECK(std::sqrt(error) < 1.25 * std::sqrt(of_write));
    CHECK(std::sqrt(of_write) < 0.01);  // a pulse
  }
}

}  // namespace lightloop::crossbar
