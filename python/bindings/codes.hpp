#pragma once
// numpy arrays as frames, without a copy.
#include "driver/api/device.hpp"
#include "python/bindings/bindings.hpp"

namespace lightloop::python {

struct Codes {
  Index count = 0;
  bool single = false;  ///< one frame without a batch axis
};

/// Checks that `array` already lies in memory as the device wants it: `bytes` per code, C order, (count, size) or
/// (count, *shape), or one frame alone.
Codes check_codes(const py::array& array, const FrameFormat& format, const char* name);

ConstFrames as_input(const py::array& array, const FrameFormat& format, Index count, View<const std::uint16_t> aux);
Frames as_output(py::array& array, const FrameFormat& format, Index count);
/// None: at rest.
View<const std::uint16_t> as_aux(const py::object& aux, const DeviceInfo& info, Index count);

}  // namespace lightloop::python
