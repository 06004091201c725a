#include "driver/reservoir/mask.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "core/param.hpp"
#include "core/random.hpp"

namespace lightloop {
namespace {

void at_least(const char* name, double value, double least) {
  if (!(value >= least))
    throw OutOfRange(std::string("mask.") + name, std::to_string(value), "at least " + std::to_string(least));
}

double chirp(const MaskSettings& s, double place, Index nodes, double shift) {
  const double last = s.last_cycles > 0 ? s.last_cycles : std::max(1.0, static_cast<double>(nodes) / 4);
  const double cycles = s.first_cycles * place + (last - s.first_cycles) * place * place / 2;
  return std::sin(2 * std::numbers::pi * (cycles + shift));
}

}  // namespace

const std::vector<std::string>& mask_kinds() {
  static const std::vector<std::string> kinds = {"random", "binary", "chirp", "piecewise"};
  return kinds;
}

Matrix<float> make_mask(Index nodes, Index inputs, const MaskSettings& s) {
  if (std::ranges::find(mask_kinds(), s.kind) == mask_kinds().end()) {
    const auto near = nearest(s.kind, mask_kinds());
    throw UnknownName("mask.kind", "\"" + s.kind + "\"", "random, binary, chirp, piecewise",
                      near ? "Did you mean \"" + *near + "\"?" : "");
  }
  at_least("nodes", static_cast<double>(nodes), 1);
  at_least("inputs", static_cast<double>(inputs), 1);
  at_least("hold", static_cast<double>(s.hold), 1);
  at_least("levels", static_cast<double>(s.levels), 2);
  at_least("first_cycles", s.first_cycles, 0);
  at_least("last_cycles", s.last_cycles, 0);
  const Stream stream(s.seed, 0, Purpose::input_mask);
  Matrix<float> mask(nodes, inputs);
  for (Index k = 0; k < inputs; ++k)
    for (Index i = 0; i < nodes; ++i) {
      const auto draw = [&](Index column) {
        return stream.uniform(static_cast<std::uint64_t>(k), static_cast<std::uint64_t>(column));
      };
      double value = 0;
      if (s.kind == "random") value = 2 * draw(i) - 1;
      if (s.kind == "binary") value = draw(i) < 0.5 ? -1 : 1;
      if (s.kind == "chirp")
        value = chirp(s, static_cast<double>(i) / static_cast<double>(nodes), nodes,
                      static_cast<double>(k) / static_cast<double>(inputs));
      if (s.kind == "piecewise")
        value =
            2 * std::floor(draw(i / s.hold) * static_cast<double>(s.levels)) / static_cast<double>(s.levels - 1) - 1;
      mask(i, k) = static_cast<float>(value);
    }
  return mask;
}

}  // namespace lightloop
