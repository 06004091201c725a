#pragma once
// What each device of a run did, as Python has it.
#include <vector>

#include "python/bindings/bindings.hpp"
#include "training/trainer.hpp"

namespace lightloop::python {

inline py::list shares(const std::vector<DeviceShare>& devices) {
  py::list all;
  for (const DeviceShare& one : devices)
    all.append(py::dict(py::arg("part") = one.part, py::arg("device") = one.address, py::arg("frames") = one.frames,
                        py::arg("writes") = one.writes, py::arg("seconds") = one.seconds,
                        py::arg("joules") = one.joules));
  return all;
}

}  // namespace lightloop::python
