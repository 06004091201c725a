#include <pybind11/pybind11.h>

#include "core/error.hpp"
#include "python/bindings/python_device.hpp"

namespace lightloop::python {
namespace {

std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  return text;
}

/// "mybench.py, line 17: self.camera.grab()": the innermost line in `file`, or of all when it is not among them.
std::string place(const py::error_already_set& raised, const std::string& file) {
  if (raised.matches(PyExc_SyntaxError)) return {};  // its text has the place
  if (!raised.trace()) return {};
  const py::object summary = py::module_::import("traceback").attr("extract_tb")(raised.trace());
  py::object found = py::none();
  for (const py::handle frame : summary)
    if (found.is_none() || file.empty() || py::cast<std::string>(frame.attr("filename")) == file ||
        py::cast<std::string>(found.attr("filename")) != file)
      found = py::reinterpret_borrow<py::object>(frame);
  if (found.is_none()) return {};
  const py::object name = py::module_::import("os.path").attr("basename")(found.attr("filename"));
  return one_line(py::str("{}, line {}: {}").format(name, found.attr("lineno"), found.attr("line")));
}

/// Throws the C++ class of the same name, if `value` is of lightloop.errors.
void throw_own(const py::object& value, const std::string& who, const std::string& where) {
  const py::module_ errors = py::module_::import("lightloop.errors");
  if (!py::isinstance(value, errors.attr("Error"))) return;
  const auto part = [&](const char* name) { return one_line(py::str(value.attr(name))); };
  const std::string what = who + ": " + part("subject"), text = part("value"), limit = part("limit"),
                    hint = part("hint");
  const auto is = [&](const char* name) { return py::isinstance(value, errors.attr(name)); };
  if (is("OutOfRange")) throw OutOfRange(what, text, limit, hint);
  if (is("UnknownName")) throw UnknownName(what, text, limit, hint);
  if (is("ShapeMismatch")) throw ShapeMismatch(what, text, limit, hint);
  if (is("InvalidParameter")) throw InvalidParameter(what, text, limit, hint);
  if (is("Unsupported")) throw Unsupported(what, text, limit, hint);
  if (is("Refused")) throw Refused(what, text, limit, hint);
  if (is("Timeout")) throw Timeout(what, text, limit, hint);
  if (is("FrameError")) throw FrameError(what, text, limit, hint);
  if (is("LinkError")) throw LinkError(what, text, limit, hint);
  if (is("Busy")) throw Busy(what, text, limit, hint);
  if (is("FileError")) throw FileError(what, text, limit, hint);
  throw DeviceError(what, text, limit.empty() ? where : limit, hint);
}
}  // namespace

void throw_python_error(py::error_already_set& raised, const std::string& who, const std::string& file) {
  if (raised.matches(PyExc_KeyboardInterrupt)) throw PythonError(who, "interrupted", "", raised);
  const std::string where = place(raised, file);
  if (raised.matches(PyExc_SystemExit))  // a device has no say in when the program ends
    throw PythonError(who, one_line(py::str("called exit({})").format(py::str(raised.value()))), where, raised);
  throw_own(raised.value(), who, where);
  const std::string text = one_line(py::str("{}: {}").format(raised.type().attr("__name__"), py::str(raised.value())));
  if (raised.matches(PyExc_NotImplementedError)) throw Unsupported(who, text, where);
  if (raised.matches(PyExc_TimeoutError)) throw Timeout(who, text, where);
  if (raised.matches(PyExc_ConnectionError)) throw LinkError(who, text, where);
  throw PythonError(who, text, where, raised);
}

}  // namespace lightloop::python
