#include <pybind11/stl.h>

#include <cstring>
#include <limits>
#include <optional>

#include "core/error.hpp"
#include "core/threads.hpp"
#include "core/units.hpp"
#include "devices/catalogue.hpp"
#include "driver/api/description.hpp"
#include "driver/backends/backends.hpp"
#include "python/bindings/bindings.hpp"

namespace lightloop::python {

const Registry& registry() {
  static const Registry all = [] {
    Registry made;
    add_devices(made);
    add_backends(made);
    return made;
  }();
  return all;
}

Value to_value(const std::string& key, py::handle value) {
  if (PyBool_Check(value.ptr())) return value.cast<bool>();
  if (PyLong_Check(value.ptr())) return value.cast<std::int64_t>();
  if (PyFloat_Check(value.ptr())) return value.cast<double>();
  if (PyUnicode_Check(value.ptr())) return value.cast<std::string>();
  if (py::hasattr(value, "__fspath__")) return value.attr("__fspath__")().cast<std::string>();
  if (py::hasattr(value, "item") && py::hasattr(value, "ndim") && value.attr("ndim").cast<int>() == 0)
    return to_value(key, value.attr("item")());
  throw py::type_error(key + ": a bool, number or text is wanted, not " + std::string(py::str(value.get_type())));
}

Settings to_settings(const py::dict& dict) {
  Settings settings;
  for (const auto& [k, v] : dict) {
    const std::string key = py::cast<std::string>(k);
    settings[key] = to_value(key, v);
  }
  return settings;
}

py::object from_value(const Value& value) {
  return std::visit([](const auto& v) -> py::object { return py::cast(v); }, value);
}

py::dict from_settings(const Settings& settings) {
  py::dict dict;
  for (const auto& [key, value] : settings) dict[py::str(key)] = from_value(value);
  return dict;
}

py::bytes to_bytes(const std::vector<std::byte>& state) {
  return {reinterpret_cast<const char*>(state.data()), state.size()};
}

std::vector<std::byte> from_bytes(const py::bytes& bytes) {
  const std::string_view text = bytes;
  std::vector<std::byte> state(text.size());
  std::memcpy(state.data(), text.data(), text.size());
  return state;
}

py::tuple to_tuple(const std::vector<Index>& shape) {
  py::tuple tuple(shape.size());
  for (std::size_t i = 0; i < shape.size(); ++i) tuple[i] = shape[i];
  return tuple;
}

View<const float> float_rows(const py::object& object, Index columns, const char* name) {
  const auto refuse = [&](const std::string& found) {
    throw py::type_error(std::string(name) + ": rows of float32 are wanted, found " + found +
                         "; pass np.ascontiguousarray(" + name + ", dtype=np.float32)");
  };
  if (!py::isinstance<py::array>(object)) refuse(std::string(py::str(object.get_type())));
  const auto array = py::reinterpret_borrow<py::array>(object);
  if (!py::isinstance<py::array_t<float>>(array)) refuse(std::string(py::str(array.dtype())));
  if (array.ndim() != 2)
    throw ShapeMismatch(
        name, py::cast<std::string>(py::str(array.attr("shape"))), "(rows, " + std::to_string(columns) + ")",
        array.ndim() == 1 ? "One row alone wants an axis in front: " + std::string(name) + "[None]." : "");
  const Index rows = array.shape(0), cols = array.shape(1);
  const Index item = static_cast<Index>(sizeof(float));
  if (array.size() > 0 &&  // numpy gives empty arrays any strides
      ((cols > 1 && array.strides(1) != item) ||
       (rows > 1 && (array.strides(0) < cols * item || array.strides(0) % item))))
    refuse("another memory order");
  if (columns >= 0 && cols != columns)
    throw ShapeMismatch(name, std::to_string(cols) + " columns", std::to_string(columns) + " wanted");
  return {static_cast<const float*>(array.data()), rows, cols, rows > 1 && cols > 0 ? array.strides(0) / item : cols};
}

namespace {
ParamInfo make_param(const std::string& name, const py::object& value, const std::optional<std::string>& unit,
                     const std::optional<double>& min, const std::optional<double>& max, const std::string& help,
                     const std::vector<std::string>& choices, bool needs_reopen, const py::object& off,
                     const std::string& only_with) {
  ParamInfo info{.name = name, .unit = "", .default_value = to_value(name, value), .help = help};
  const bool number =
      std::holds_alternative<std::int64_t>(info.default_value) || std::holds_alternative<double>(info.default_value);
  info.unit = unit.value_or(number ? "1" : "");
  constexpr double kNone = std::numeric_limits<double>::infinity();
  if (min || max) {
    info.min = min.value_or(-kNone);
    info.max = max.value_or(kNone);
  }
  info.choices = choices;
  info.needs_reopen = needs_reopen;
  if (!off.is_none()) info.off = to_value(name + ", off", off);
  info.only_with = only_with;
  return param_from(to_settings(info), "a device");
}
}  // namespace

void register_params(py::module_& m) {
  py::class_<ParamInfo>(m, "Param", "One settable thing: name, unit, default, range and help.")
      .def(
          py::init(&make_param), py::arg("name"), py::arg("default"), py::kw_only(), py::arg("unit") = py::none(),
          py::arg("min") = py::none(), py::arg("max") = py::none(), py::arg("help") = "",
          py::arg("choices") = std::vector<std::string>{}, py::arg("needs_reopen") = false, py::arg("off") = py::none(),
          py::arg("only_with") = "",
          "A parameter of a device of your own. The kind is that of the default (True, 8, 8.0, 'text'); numbers are in "
          "SI units, and a pure number has the unit '1' (the default). A source of error says by `off` which value "
          "takes it away, and by "
          "`only_with` ('key=value,source') while which words it acts and beside which other sources: reports switch "
          "it by "
          "them.")
      .def_readonly("name", &ParamInfo::name)
      .def_readonly("unit", &ParamInfo::unit)
      .def_property_readonly("default", [](const ParamInfo& p) { return from_value(p.default_value); })
      .def_readonly("min", &ParamInfo::min)
      .def_readonly("max", &ParamInfo::max)
      .def_readonly("help", &ParamInfo::help)
      .def_property_readonly("choices", [](const ParamInfo& p) { return py::list(py::cast(p.choices)); })
      .def_readonly("needs_reopen", &ParamInfo::needs_reopen)
      .def_property_readonly("off", [](const ParamInfo& p) { return p.off ? from_value(*p.off) : py::none(); })
      .def_readonly("only_with", &ParamInfo::only_with)
      .def("__repr__", [](const ParamInfo& p) {
        return "Param(" + p.name + " = " + to_string(p.default_value) +
               (p.unit.empty() || p.unit == "1" ? "" : " " + p.unit) + ": " + p.help + ")";
      });
  m.def(
      "parse_settings", [](const std::string& text) { return from_settings(parse_settings(text)); }, py::arg("text"),
      "Settings from 'a=1,b=4.2 mA'.");
  m.def("parse_quantity", &parse_quantity, py::arg("text"), py::arg("unit"), py::arg("parameter") = "value",
        "SI value of a text such as '400 us' for the SI unit `unit`.");
  m.def("format_quantity", &format_quantity, py::arg("value"), py::arg("unit"), "Short text with a fitting prefix.");
  m.def("unit_factor", &unit_factor, py::arg("unit"), py::arg("si_unit"), py::arg("parameter") = "value",
        "Factor from `unit` to `si_unit`.");
  m.def("set_threads", &set_threads, py::arg("count"), "How many threads may work; results never depend on it.");
  m.def("threads", &threads, "How many threads may work.");
}

}  // namespace lightloop::python
