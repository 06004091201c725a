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

}  // namespace lightloop::crossbar
