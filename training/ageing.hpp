#pragma once
// Time that passes after the weights were written.
#include "training/analog.hpp"

namespace lightloop {

/// Moves the clock (clock_s) of every device on by so many seconds since it was set: by default since the first weights
/// were written. Cells and temperatures drift as the devices say; calibrations stay as they were found. Throws
/// OutOfRange for a time that is not positive, or later than the device knows its cells; Unsupported for a device
/// without a clock, or one that is written anew for every layer. Devices before the one that refused have moved on.
void age(AnalogNetwork& network, double seconds);

}  // namespace lightloop
