// Masks that are learned by measuring alone.
#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include "python/bindings/bindings.hpp"
#include "training/mask_learning.hpp"

namespace lightloop::python {

void register_masks(py::module_& m) {
  py::class_<LearnedMask>(m, "LearnedMask", "A mask that learn_mask() has found.")
      .def_property_readonly(
          "mask",
          [](const py::object& self) {
            const auto& mask = self.cast<const LearnedMask&>().mask;
            return read_only(mask.data(), {static_cast<py::ssize_t>(mask.size())}, self);
          },
          "Its values (int8), 0 and 1, or -1, 0 and 1")
      .def_readonly("loss", &LearnedMask::loss, "As measured for it")
      .def_property_readonly(
          "losses",
          [](const LearnedMask& found) {
            return py::array_t<double>(static_cast<py::ssize_t>(found.losses.size()), found.losses.data());
          },
          "Of the mask kept, after every trial")
      .def_readonly("writes", &LearnedMask::writes, "Masks shown")
      .def_readonly("evaluations", &LearnedMask::evaluations, "Losses measured")
      .def("__repr__", [](const LearnedMask& found) {
        return "<lightloop.LearnedMask of " + std::to_string(found.mask.size()) + " values, loss " +
               std::to_string(found.loss) + " after " + std::to_string(found.evaluations) + " measurements>";
      });
  m.def(
      "learn_mask",
      [](Index values, const py::function& loss, bool ternary, Index flips, Index trials, double bias,
         std::uint64_t seed) {
        const auto measure = [&loss](std::span<const std::int8_t> mask) {
          return loss(py::array_t<std::int8_t>(static_cast<py::ssize_t>(mask.size()), mask.data())).cast<double>();
        };
        return learn_mask(values, measure, {.ternary = ternary, .flips = flips, .trials = trials, .bias = bias}, seed);
      },
      py::arg("values"), py::arg("loss"), py::kw_only(), py::arg("ternary") = false, py::arg("flips") = 1,
      py::arg("trials") = 0, py::arg("bias") = 1.0, py::arg("seed") = 1,
      "A mask of `values` values that makes loss(mask) small by trial: some values are changed, the loss is measured, "
      "and "
      "the change stays where it fell. `loss` is given int8 values (0, 1, or with ternary -1, 0, 1) and may show them "
      "to a "
      "device. flips: values changed at once in the first trial, falling to 1 over the first half (1: greedy). trials: "
      "0 "
      "means ten for every value. bias: how strongly values that were not tried for long are preferred, 0 to 16. The "
      "kept "
      "mask is measured again after every `values` trials, so that noise keeps no lucky one.");
}

}  // namespace lightloop::python
