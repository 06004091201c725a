// Data sets as numpy arrays.
#include <pybind11/stl.h>

#include "python/bindings/bindings.hpp"
#include "training/datasets/dataset.hpp"

namespace lightloop::python {

void register_runs(py::module_& m) {
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
          "(samples, features), a read-only view: uint8 (value / 255 is the feature) or float32.")
      .def_property_readonly(
          "y",
          [](const py::object& self) {
            const auto& labels = self.cast<const Dataset&>().labels;
            return read_only(labels.data(), {static_cast<py::ssize_t>(labels.size())}, self);
          },
          "Labels (samples,), a read-only view.")
      .def(
          "features",
          [](const Dataset& d) {
            std::vector<std::uint32_t> all(static_cast<std::size_t>(d.size()));
            for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint32_t>(i);
            py::array_t<float> x({d.size(), d.features()});
            d.gather(all, View<float>(x.mutable_data(), d.size(), d.features()));
            return x;
          },
          "(samples, features) as float32; bytes come out in [0, 1].");
  m.def(
      "load_dataset",
      [](const std::string& name, const std::string& data_dir, std::uint64_t seed) {
        TrainTest both;
        {
          py::gil_scoped_release release;
          both = load_dataset(name, data_dir, seed);
        }
        return py::make_tuple(std::move(both.train), std::move(both.test));
      },
      py::arg("name"), py::arg("data_dir") = "", py::arg("seed") = 0,
      "(train, test) of a known name ('digits', 'mnist', ...) or of a CSV or HDF5 file.");
}

}  // namespace lightloop::python
