#pragma once
// What a finished sweep file says in a few lines.
#include <string>

namespace lightloop::sweeps {

/// "map.h5: 3 laser.bias x 2 repeat, 4.2 s", then a line per measure with its mean and range.
std::string summary_text(const std::string& path, double seconds);
/// One JSON object: out, seconds, axes (units, values) and measures (dims, shape, units, mean, min, max).
std::string summary_json(const std::string& path, double seconds);

}  // namespace lightloop::sweeps
