#include "core/random.hpp"

#include "core/leakage.hpp"
#include "python/bindings/bindings.hpp"

namespace lightloop::python {
namespace {

template <class T, class Fill>
py::array_t<T> filled(py::ssize_t n, Fill&& fill) {
  py::array_t<T> values(n);
  fill(std::span<T>(values.mutable_data(), static_cast<std::size_t>(n)));
  return values;
}

}  // namespace

void register_random(py::module_& m) {
  py::class_<Stream>(
      m, "Stream", "Counter-based random numbers: a draw is a pure function of (seed, instance, purpose, row, column).")
      .def(py::init([](std::uint64_t seed, std::uint64_t instance, std::uint32_t purpose) {
             return Stream(seed, instance, static_cast<Purpose>(purpose));
           }),
           py::arg("seed"), py::arg("instance") = 0, py::arg("purpose") = static_cast<std::uint32_t>(Purpose::user))
      .def(
          "words",
          [](const Stream& s, std::uint64_t row, py::ssize_t n, std::uint64_t column) {
            return filled<std::uint32_t>(n, [&](auto out) { s.words(row, column, out); });
          },
          py::arg("row"), py::arg("n"), py::arg("column") = 0, "n raw 32-bit words.")
      .def(
          "uniform",
          [](const Stream& s, std::uint64_t row, py::ssize_t n, std::uint64_t column) {
            return filled<float>(n, [&](auto out) { s.uniform(row, column, out); });
          },
          py::arg("row"), py::arg("n"), py::arg("column") = 0, "n uniform draws on (0, 1).")
      .def(
          "normal",
          [](const Stream& s, std::uint64_t row, py::ssize_t n, std::uint64_t column) {
            return filled<float>(n, [&](auto out) { s.normal(row, column, out); });
          },
          py::arg("row"), py::arg("n"), py::arg("column") = 0, "n standard normal draws.")
      .def(
          "poisson",
          [](const Stream& s, std::uint64_t row, const py::array_t<float, py::array::c_style>& mean,
             std::uint64_t column) {
            return filled<float>(mean.size(), [&](auto out) {
              s.poisson(row, column, {mean.data(), static_cast<std::size_t>(mean.size())}, out);
            });
          },
          py::arg("row"), py::arg("mean").noconvert(), py::arg("column") = 0, "One Poisson draw per mean (float32).")
      .def(
          "permutation",
          [](const Stream& s, std::uint64_t row, py::ssize_t n) {
            return filled<std::uint32_t>(n, [&](auto out) { s.permutation(row, out); });
          },
          py::arg("row"), py::arg("n"), "A permutation of 0..n-1.");
  m.def(
      "poisson_scale_for_leakage", &poisson_scale_for_leakage, py::arg("leakage"), py::arg("precision"),
      "Scale of Poisson noise of which `leakage` of the values at full scale leave their level, or nearly: it jumps.");
  m.def(
      "noise_std_for_leakage",
      [](const std::string& law, double leakage, double precision) {
        const NoiseLaw of = law == "gaussian"    ? NoiseLaw::gaussian
                            : law == "laplacian" ? NoiseLaw::laplacian
                                                 : NoiseLaw::uniform;
        return standard_deviation(of, scale_for_leakage(of, leakage, precision));
      },
      py::arg("law"), py::arg("leakage"), py::arg("precision"),
      "Standard deviation of noise of that law (gaussian, laplacian, else uniform) by which `leakage` of the values "
      "leave "
      "their level.");
}

}  // namespace lightloop::python
