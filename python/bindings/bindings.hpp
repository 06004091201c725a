#pragma once
// What the binding files share: conversions between Python and Lightloop that never copy without saying so.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

#include "core/array.hpp"
#include "core/param.hpp"
#include "driver/api/registry.hpp"

namespace lightloop::python {

namespace py = pybind11;

void register_errors(py::module_& m);
void register_params(py::module_& m);
void register_device(py::module_& m);
void register_projection(py::module_& m);
void register_layer(py::module_& m);
void register_analog(py::module_& m);
void register_network(py::module_& m);
void register_train(py::module_& m);
void register_twin(py::module_& m);
void register_runs(py::module_& m);
void register_datasets(py::module_& m);
void register_random(py::module_& m);
void register_reservoir(py::module_& m);
void register_metrics(py::module_& m);
void register_tasks(py::module_& m);
void register_measures(py::module_& m);
void register_masks(py::module_& m);

/// Every device of this build; filled on first use.
const Registry& registry();

/// Python's bool, int, float, str (and numpy's scalars, and paths) as a Value; TypeError names `key`.
Value to_value(const std::string& key, py::handle value);
Settings to_settings(const py::dict& dict);
py::object from_value(const Value& value);
py::dict from_settings(const Settings& settings);

/// The array's memory as rows of floats. TypeError where that would take a copy (other type, columns not adjacent, not
/// two-dimensional), naming `name` and the call that makes a fitting array. `columns` < 0: any number.
View<const float> float_rows(const py::object& array, Index columns, const char* name);

/// A view of memory that `owner` keeps alive; writing through it is refused.
template <class T>
py::array read_only(const T* data, std::vector<py::ssize_t> shape, py::handle owner) {
  py::array_t<T> array(std::move(shape), data, owner);
  array.attr("setflags")(py::arg("write") = false);
  return array;
}

py::bytes to_bytes(const std::vector<std::byte>& state);
std::vector<std::byte> from_bytes(const py::bytes& bytes);
py::tuple to_tuple(const std::vector<Index>& shape);

}  // namespace lightloop::python
