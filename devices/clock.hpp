#pragma once
// The virtual clock of a device as its setting clock_s.
#include <string>

#include "core/error.hpp"
#include "core/param.hpp"

namespace lightloop {

/// Time does not go back: throws OutOfRange for a clock set before the device's present time.
inline void check_clock(const std::string& model, double wanted_s, double now_s) {
  if (wanted_s < now_s)
    throw OutOfRange(model + ": clock_s", to_string(Value(wanted_s)) + " s",
                     "not before the device's present time, " + to_string(Value(now_s)) + " s",
                     "restore() a snapshot of that time, or open the device again.");
}

}  // namespace lightloop
