#pragma once
// What a finished sweep file says in a few lines.
#include <string>

#include "core/array.hpp"

namespace lightloop::sweeps {

/// "map.h5: 3 laser.bias x 2 repeat, 4.2 s", then a line per measure with its mean and range.
std::string summary_text(const std::string& path, double seconds);
/// One JSON object: out, seconds, resumed (points taken up from FILE.parts), axes (units, values) and measures (dims,
/// shape, units, mean, min, max).
std::string summary_json(const std::string& path, double seconds, Index resumed);

}  // namespace lightloop::sweeps
