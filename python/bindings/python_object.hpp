#pragma once
// An object of a class of the user's, asked from C++: what it raises or returns wrongly is told with class, method and
// line.
#include <pybind11/stl.h>

#include <string>
#include <utility>
#include <vector>

#include "python/bindings/python_device.hpp"

namespace lightloop::python {

/// Everything here needs the interpreter lock.
class PythonObject {
 public:
  PythonObject(const std::string& who, const py::object& type)
      : who_(who), file_(py::str(module().attr("_file_of")(type))) {}

  static py::module_ module() { return py::module_::import("lightloop.device"); }

  bool has(const char* method) const { return py::hasattr(self_, method) && !self_.attr(method).is_none(); }

  template <class Body>
  void guarded(const char* method, Body&& body) const {
    try {
      body();
    } catch (py::error_already_set& raised) {
      throw_python_error(raised, who_ + " " + method + "()", file_);
    }
  }
  template <class... Arguments>
  py::object call(const char* method, const Arguments&... arguments) const {
    py::object result;
    guarded(method, [&] { result = self_.attr(method)(arguments...); });
    return result;
  }
  template <class T>
  T cast(const char* method, const py::object& value, const char* wanted) const {
    try {
      return value.cast<T>();
    } catch (const py::cast_error&) {
      throw refused(method, type_name(value), wanted);
    }
  }

  static std::string type_name(const py::object& value) { return py::str(value.get_type().attr("__name__")); }
  /// "mybench.py, line 12": where a method begins.
  std::string place(const char* method) const { return py::str(module().attr("_place_of")(self_, method)); }
  DeviceError refused(const char* method, const std::string& returned, const std::string& wanted,
                      const std::string& hint = {}) const {
    return {who_ + " " + method + "()", "returned " + returned, wanted + " wanted; " + place(method), hint};
  }

  DeviceInfo description() const;

 protected:
  std::string who_, file_;
  py::object self_;
};

inline std::vector<Index> batch_shape(Index count, const FrameFormat& format) {
  std::vector<Index> shape = format.shape;
  shape.insert(shape.begin(), count);
  return shape;
}

inline std::string text_of(const std::vector<Index>& shape) { return py::str(to_tuple(shape)); }

}  // namespace lightloop::python
