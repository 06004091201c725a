#include "driver/projection/readout.hpp"

#include <charconv>

#include "core/error.hpp"

namespace lightloop {

Readout parse_readout(const std::string& text) {
  Readout readout;
  if (text == "anchor") return readout;
  if (text == "intensity") {
    readout.kind = Readout::Kind::intensity;
    return readout;
  }
  if (!text.starts_with("phase"))
    throw UnknownName("projection.readout", text, "anchor, intensity or phaseN with N from 3 to 16, e.g. phase4");
  readout.kind = Readout::Kind::phase;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + 5, end, readout.steps);
  if (error != std::errc() || stop != end || readout.steps < 3 || readout.steps > 16)
    throw OutOfRange("projection.readout", text, "phase3 to phase16");
  return readout;
}

std::vector<Shot> intensity_shots() { return {Shot{.real = 1}}; }

}  // namespace lightloop
