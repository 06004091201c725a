// Data sets from and to numpy arrays.
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "python/bindings/bindings.hpp"
#include "training/datasets/dataset.hpp"

namespace lightloop::python {
namespace {

using Labels = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;

void take_labels(const Labels& y, Dataset& d) {
  d.targets = y.ndim() == 2 ? y.shape(1) : 1;
  d.labels.reserve(static_cast<std::size_t>(y.size()));
  for (py::ssize_t i = 0; i < y.size(); ++i) {
    const std::int64_t label = y.data()[i];
    if (label < 0 || label >= d.classes)
      throw OutOfRange("y[" + std::to_string(i) + "]", std::to_string(label), "0 to " + std::to_string(d.classes - 1));
    d.labels.push_back(static_cast<std::uint8_t>(label));
  }
}

/// Labels may come as reals where every one is whole: 0.0, 1.0.
void check_whole(const py::array& y) {
  const auto numbers = py::array_t<double, py::array::c_style | py::array::forcecast>(y);
  for (py::ssize_t i = 0; i < numbers.size(); ++i)
    if (!(numbers.data()[i] == std::floor(numbers.data()[i])))
      throw InvalidParameter("y[" + std::to_string(i) + "]", std::to_string(numbers.data()[i]), "whole numbers from 0",
                             "labels count the classes; real targets are y of floats (samples, outputs)");
}

void take_values(const py::array& y, Dataset& d) {
  const View<const float> rows = float_rows(y, -1, "y");
  d.classes = rows.cols();
  d.values = Matrix<float>(rows.rows(), rows.cols());
  for (Index i = 0; i < rows.rows(); ++i) std::ranges::copy(rows.row(i), d.values.row(i).begin());
  d.labels.assign(static_cast<std::size_t>(rows.rows()), 0);
}

Dataset make_dataset(const py::array& samples, const py::array& y, Index classes, const std::string& name) {
  if (y.ndim() < 1 || y.ndim() > 2 || (y.ndim() == 2 && y.shape(1) == 0) || samples.ndim() < 2 ||
      samples.shape(0) != y.shape(0))
    throw ShapeMismatch("x, y", py::cast<std::string>(py::str("{}, {}").format(samples.attr("shape"), y.attr("shape"))),
                        "(samples, features) or (samples, height, width, channels), (samples,) wanted; or y (samples, "
                        "tokens) of whole numbers, (samples, outputs) of real ones");
  const bool real = y.ndim() == 2 && y.dtype().kind() == 'f';
  if (classes < 1 || classes > 256) throw OutOfRange("classes", std::to_string(classes), "1 to 256");
  Dataset d;
  d.name = name;
  d.source = "memory";
  d.sample_shape.assign(samples.shape() + 1, samples.shape() + samples.ndim());
  Index features = 1;
  for (const Index n : d.sample_shape) features *= n;
  const py::array x = samples.attr("reshape")(samples.shape(0), features);  // images row by row
  d.classes = classes;
  if (x.dtype().kind() == 'u' && x.itemsize() == 1 && (x.flags() & py::array::c_style)) {
    d.bytes = Matrix<std::uint8_t>(x.shape(0), x.shape(1));
    std::copy_n(static_cast<const std::uint8_t*>(x.data()), x.size(), d.bytes.data());
  } else {
    const View<const float> rows = float_rows(x, -1, "x");
    d.floats = Matrix<float>(rows.rows(), rows.cols());
    for (Index i = 0; i < rows.rows(); ++i) std::ranges::copy(rows.row(i), d.floats.row(i).begin());
  }
  if (real) {
    take_values(y, d);
  } else {
    if (y.dtype().kind() == 'f') check_whole(y);
    take_labels(Labels(y), d);
  }
  return d;
}

}  // namespace

void register_datasets(py::module_& m) {
  py::class_<Dataset>(m, "Dataset", "Labelled samples.")
      .def_readonly("name", &Dataset::name)
      .def_readonly("source", &Dataset::source)
      .def_property_readonly("sample_shape", [](const Dataset& d) { return to_tuple(d.sample_shape); })
      .def_readonly("classes", &Dataset::classes)
      .def("__len__", &Dataset::size)
      .def_property_readonly(
          "x",
          [](const py::object& self) {
            const auto& d = self.cast<const Dataset&>();
            if (d.bytes.size()) return read_only(d.bytes.data(), {d.bytes.rows(), d.bytes.cols()}, self);
            return read_only(d.floats.data(), {d.floats.rows(), d.floats.cols()}, self);
          },
          "(samples, features), a read-only view: uint8 or float32. features() has the numbers that are learned from.")
      .def_property_readonly(
          "y",
          [](const py::object& self) {
            const auto& d = self.cast<const Dataset&>();
            if (d.values.size() > 0) return read_only(d.values.data(), {d.values.rows(), d.values.cols()}, self);
            if (d.targets > 1) return read_only(d.labels.data(), {d.size(), d.targets}, self);
            return read_only(d.labels.data(), {static_cast<py::ssize_t>(d.labels.size())}, self);
          },
          "Labels (samples,), of a text (samples, tokens), or real targets (samples, outputs): a read-only view.")
      .def_property_readonly(
          "counts",
          [](const Dataset& d) {
            py::array_t<bool> all(static_cast<py::ssize_t>(d.size()));
            for (py::ssize_t i = 0; i < all.size(); ++i)
              all.mutable_at(i) = d.counts.empty() || d.counts[static_cast<std::size_t>(i)] != 0;
            return all;
          },
          "(samples,) bool: which are trained on or scored; nodes of a graph belong to every part, some count in it.")
      .def_property_readonly(
          "alphabet", [](const Dataset& d) { return py::bytes(d.alphabet); },
          "The character of each code of a text; empty of other data.")
      .def_property_readonly(
          "yardstick",
          [](const Dataset& d) -> py::object {
            if (d.yardstick.what.empty()) return py::none();
            return py::make_tuple(d.yardstick.what, d.yardstick.value);
          },
          "(what, value) that a score on these samples is to be compared with; None where nothing is known.")
      .def(
          "features",
          [](const Dataset& d) {
            std::vector<std::uint32_t> all(static_cast<std::size_t>(d.size()));
            for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint32_t>(i);
            py::array_t<float> x({d.size(), d.features()});
            d.gather(all, View<float>(x.mutable_data(), d.size(), d.features()));
            return x;
          },
          "(samples, features) as float32: bytes divided by 255, or of a graph by what the data set says for the "
          "node; codes as they are.");
  m.def("make_dataset", &make_dataset, py::arg("x"), py::arg("y"), py::arg("classes"), py::arg("name") = "arrays",
        "A data set of its own (the arrays are copied once): x uint8 or float32 (samples, features), y labels, "
        "labels of tokens (samples, tokens), or real targets (samples, outputs).");
  m.def(
      "load_dataset",
      [](const std::string& name, const std::string& data_dir, std::uint64_t seed) {
        TrainTest both;
        {
          py::gil_scoped_release release;
          both = load_dataset(name, data_dir, seed);
        }
        py::object validation = py::none();
        if (both.validation.size() > 0) validation = py::cast(std::move(both.validation));
        return py::make_tuple(std::move(both.train), std::move(both.test), validation);
      },
      py::arg("name"), py::arg("data_dir") = "", py::arg("seed") = 0,
      "(train, test, validation or None) of a known name ('digits', 'mnist', ...) or of a CSV or HDF5 file.");
}

}  // namespace lightloop::python
