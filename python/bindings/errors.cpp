// C++ exceptions become the classes of lightloop/errors.py, part by part.
#include "core/error.hpp"
#include "driver/api/device.hpp"
#include "python/bindings/bindings.hpp"
#include "python/bindings/python_device.hpp"

namespace lightloop::python {
namespace {

const char* class_of(const Error& e) {
  if (dynamic_cast<const OutOfRange*>(&e)) return "OutOfRange";
  if (dynamic_cast<const UnknownName*>(&e)) return "UnknownName";
  if (dynamic_cast<const ShapeMismatch*>(&e)) return "ShapeMismatch";
  if (dynamic_cast<const InvalidParameter*>(&e)) return "InvalidParameter";
  if (dynamic_cast<const Unsupported*>(&e)) return "Unsupported";
  if (dynamic_cast<const Refused*>(&e)) return "Refused";
  if (dynamic_cast<const Timeout*>(&e)) return "Timeout";
  if (dynamic_cast<const FrameError*>(&e)) return "FrameError";
  if (dynamic_cast<const LinkError*>(&e)) return "LinkError";
  if (dynamic_cast<const WaitTimeout*>(&e)) return "WaitTimeout";
  if (dynamic_cast<const Busy*>(&e)) return "Busy";
  if (dynamic_cast<const Cancelled*>(&e)) return "Cancelled";
  if (dynamic_cast<const DeviceError*>(&e)) return "DeviceError";
  if (dynamic_cast<const FileError*>(&e)) return "FileError";
  if (dynamic_cast<const InternalError*>(&e)) return "InternalError";
  return "Error";
}

/// Names and values may quote bytes that are no text.
py::object text(const std::string& bytes) {
  return py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "backslashreplace"));
}

void translate(std::exception_ptr p) {
  try {
    if (p) std::rethrow_exception(p);
  } catch (const PythonError& e) {
    if (e.cause->matches(PyExc_KeyboardInterrupt)) {
      py::error_already_set original(*e.cause);
      original.restore();
      return;
    }
    const py::object error = py::module_::import("lightloop.errors")
                                 .attr("DeviceError")(text(e.subject()), text(e.value()), text(e.limit()));
    PyException_SetCause(error.ptr(), py::object(e.cause->value()).release().ptr());  // steals the reference
    PyErr_SetObject(py::type::handle_of(error).ptr(), error.ptr());
  } catch (const Error& e) {
    const py::object type = py::module_::import("lightloop.errors").attr(class_of(e));
    const py::object error = type(text(e.subject()), text(e.value()), text(e.limit()), text(e.hint()));
    PyErr_SetObject(type.ptr(), error.ptr());
  }
}

}  // namespace

void register_errors(py::module_&) { py::register_exception_translator(translate); }

}  // namespace lightloop::python
