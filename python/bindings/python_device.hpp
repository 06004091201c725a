#pragma once
// A Python object of a class derived from lightloop.Device, seen as a Device.
#include <memory>
#include <string>

#include "driver/api/device.hpp"
#include "python/bindings/bindings.hpp"

namespace lightloop::python {

/// A Python exception on its way through C++; a Python program gets the original as __cause__, or itself where it is
/// none of our business (Ctrl-C, sys.exit).
struct PythonError : DeviceError {
  PythonError(std::string what, std::string value, std::string limit, py::error_already_set raised)
      : DeviceError(std::move(what), std::move(value), std::move(limit)),
        cause(std::make_shared<py::error_already_set>(std::move(raised))) {}
  std::shared_ptr<py::error_already_set> cause;
};

/// Throws what a Python exception stands for: the class of the same name for an exception of lightloop.errors,
/// Unsupported, Timeout or LinkError for NotImplementedError, TimeoutError or ConnectionError, else PythonError. The
/// message has type, text and the line of the file `file` it came from. Needs the interpreter lock.
[[noreturn]] void throw_python_error(py::error_already_set& raised, const std::string& who, const std::string& file);

/// The class an address names; needs the interpreter lock.
py::object type_of(const DeviceAddress& address, const std::string& who);

/// Opens the class an address names; takes the interpreter lock itself, as all calls of the device do.
std::unique_ptr<Device> open_python_device(const DeviceAddress& address);
/// The model that the class brings beside the hardware; Unsupported where it brings none.
std::unique_ptr<Twin> open_python_twin(const DeviceAddress& address);
std::vector<ParamInfo> python_device_params(const DeviceAddress& address);

/// Closes those that are still open; for the end of the program, under the interpreter lock.
void close_python_devices();

}  // namespace lightloop::python
