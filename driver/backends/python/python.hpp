#pragma once
#include <functional>

#include "driver/api/registry.hpp"

/// python:FILE.py:CLASS (or MODULE:CLASS) is a device written in Python: a class derived from lightloop.Device.
///
/// In a Python program it runs in that program's interpreter. In any other program an interpreter is started with the
/// first such device: libpython is loaded then (LIGHTLOOP_LIBPYTHON names another one than found when this was built),
/// without its signal handlers, so Ctrl-C stays the program's; what the device prints goes to stderr. The interpreter
/// is never ended. `lightloop serve --device python:...` puts the device into a process of its own.
///
/// A class with forward_model() and vjp() brings a twin, which opens no hardware: an object of the class of its own.
namespace lightloop::python {

/// Opening throws FileError, UnknownName, InvalidParameter; DeviceError where Python code fails, with its type, message
/// and the line; Unsupported where there is no Python or no package `lightloop`.
Backend backend();

/// What the package's extension module, which alone knows Python's objects, gives the library when it is imported.
struct Hook {
  std::function<std::unique_ptr<Device>(const DeviceAddress&)> open;
  std::function<std::vector<ParamInfo>(const DeviceAddress&)> params;
  std::function<std::unique_ptr<Twin>(const DeviceAddress&)> twin = {};
};
void set_hook(Hook hook);

}  // namespace lightloop::python
