// Measures of reservoirs.
#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include <limits>

#include "python/bindings/arrays.hpp"
#include "python/bindings/bindings.hpp"
#include "training/metrics/attractor.hpp"
#include "training/metrics/capacity.hpp"
#include "training/metrics/consistency.hpp"
#include "training/metrics/error.hpp"
#include "training/metrics/lyapunov.hpp"
#include "training/metrics/rank.hpp"

namespace lightloop::python {
namespace {

using Numbers = py::array_t<double, py::array::c_style | py::array::forcecast>;
using Labels = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;

std::span<const double> flat(const Numbers& array) { return {array.data(), static_cast<std::size_t>(array.size())}; }

/// (R, T, N) as R views.
std::vector<View<const double>> repeats_of(const Numbers& states) {
  if (states.ndim() != 3)
    throw ShapeMismatch("states", std::to_string(states.ndim()) + " axes", "(repeats, time, nodes) wanted");
  std::vector<View<const double>> views;
  for (py::ssize_t r = 0; r < states.shape(0); ++r)
    views.emplace_back(states.data() + r * states.shape(1) * states.shape(2), states.shape(1), states.shape(2));
  return views;
}

template <class Body>
Metric free(Body&& body) {
  py::gil_scoped_release release;
  return body();
}

void register_capacities(py::module_& m) {
  m.def(
      "memory_capacity",
      [](const Numbers& states, const Numbers& input, Index first, Index last, double train_fraction, double ridge) {
        const auto x = number_rows(states, "states");
        return free([&] { return memory_capacity(x, flat(input), {first, last, train_fraction, ridge}); });
      },
      py::arg("states"), py::arg("input"), py::kw_only(), py::arg("first_delay") = 1, py::arg("last_delay") = 0,
      py::arg("train_fraction") = 0.5, py::arg("ridge") = 1e-9);
  m.def(
      "information_processing_capacity",
      [](const Numbers& states, const Numbers& input, const std::vector<Index>& delays, double significance,
         double tolerance) {
        const auto x = number_rows(states, "states");
        return free([&] { return information_processing_capacity(x, flat(input), {delays, significance, tolerance}); });
      },
      py::arg("states"), py::arg("input"), py::kw_only(), py::arg("delays") = CapacitySettings{}.delays,
      py::arg("significance") = 1e-4, py::arg("tolerance") = 1e-8);
  m.def(
      "kernel_rank",
      [](const Numbers& states, double threshold) {
        const auto x = number_rows(states, "states");
        return free([&] { return kernel_rank(x, threshold); });
      },
      py::arg("states"), py::arg("threshold") = 1e-3);
  m.def(
      "generalisation_rank",
      [](const Numbers& states, double threshold) {
        const auto x = number_rows(states, "states");
        return free([&] { return generalisation_rank(x, threshold); });
      },
      py::arg("states"), py::arg("threshold") = 1e-3);
}

void register_repeats(py::module_& m) {
  m.def(
      "consistency",
      [](const Numbers& states) {
        const auto views = repeats_of(states);
        return free([&] { return consistency(views); });
      },
      py::arg("states"));
  m.def(
      "consistency_capacity",
      [](const Numbers& states, double noise_variance) {
        const auto views = repeats_of(states);
        return free([&] { return consistency_capacity(views, noise_variance); });
      },
      py::arg("states"), py::arg("noise_variance") = 0.0);
  m.def(
      "dimensionality",
      [](const Numbers& states, double ratio) {
        const auto views = repeats_of(states);
        return free([&] { return dimensionality(views, ratio); });
      },
      py::arg("states"), py::arg("ratio") = 2.0);
  m.def(
      "separability",
      [](const Numbers& states, const Labels& labels) {
        const auto views = repeats_of(states);
        const std::span<const std::int64_t> known(labels.data(), static_cast<std::size_t>(labels.size()));
        return free([&] { return separability(views, known); });
      },
      py::arg("states"), py::arg("labels"));
}

void register_pairs(py::module_& m) {
  const auto pair = [&m](const char* name, Metric (*f)(View<const double>, View<const double>)) {
    m.def(
        name,
        [f](const Numbers& target, const Numbers& prediction) {
          return f(number_rows(target, "target"), number_rows(prediction, "prediction"));
        },
        py::arg("target"), py::arg("prediction"));
  };
  pair("nmse", &nmse);
  pair("nrmse", &nrmse);
  m.def(
      "symbol_error_rate",
      [](const Numbers& target, const Numbers& prediction, const std::vector<double>& alphabet) {
        return symbol_error_rate(number_rows(target, "target"), number_rows(prediction, "prediction"), alphabet);
      },
      py::arg("target"), py::arg("prediction"), py::arg("alphabet") = std::vector<double>());
  m.def(
      "conditional_lyapunov",
      [](const Numbers& first, const Numbers& second, double step, double floor) {
        return conditional_lyapunov(number_rows(first, "first"), number_rows(second, "second"), step, floor);
      },
      py::arg("first"), py::arg("second"), py::arg("step") = 1.0, py::arg("floor") = 1e-3);
  m.def(
      "series_lyapunov",
      [](const Numbers& series, double step, Index theiler, Index fit) {
        const auto x = number_rows(series, "series");
        return free([&] { return series_lyapunov(x, step, theiler, fit); });
      },
      py::arg("series"), py::arg("step") = 1.0, py::arg("theiler") = 10, py::arg("fit") = 10);
  m.def(
      "largest_lyapunov",
      [](const py::function& flow, std::vector<double> state, double step, Index transient, Index steps, Index every,
         double distance) {
        const Flow call = [&](std::span<double> x, Index n) {
          const Numbers next = flow(Numbers(static_cast<py::ssize_t>(x.size()), x.data()), n);
          if (next.size() != static_cast<py::ssize_t>(x.size()))
            throw ShapeMismatch("flow", std::to_string(next.size()), std::to_string(x.size()) + " numbers of a state");
          std::copy_n(next.data(), next.size(), x.begin());
        };
        return largest_lyapunov(call, std::move(state), {step, transient, steps, every, distance});
      },
      py::arg("flow"), py::arg("state"), py::kw_only(), py::arg("step") = 1.0, py::arg("transient") = 1000,
      py::arg("steps") = 10000, py::arg("every") = 10, py::arg("distance") = 1e-8);
  m.def(
      "valid_prediction_time",
      [](const Numbers& truth, const Numbers& prediction, double step, double exponent, double threshold) {
        return valid_prediction_time(number_rows(truth, "truth"), number_rows(prediction, "prediction"), step, exponent,
                                     threshold);
      },
      py::arg("truth"), py::arg("prediction"), py::kw_only(), py::arg("step") = 1.0, py::arg("exponent") = 0.0,
      py::arg("threshold") = 0.4);
  m.def(
      "state_space_divergence",
      [](const Numbers& truth, const Numbers& generated, Index bins) {
        return state_space_divergence(number_rows(truth, "truth"), number_rows(generated, "generated"), bins);
      },
      py::arg("truth"), py::arg("generated"), py::arg("bins") = 30);
  m.def(
      "power_spectrum_distance",
      [](const Numbers& truth, const Numbers& generated, double smoothing) {
        return power_spectrum_distance(number_rows(truth, "truth"), number_rows(generated, "generated"), smoothing);
      },
      py::arg("truth"), py::arg("generated"), py::arg("smoothing") = 20.0);
}

}  // namespace

void register_metrics(py::module_& m) {
  py::class_<Metric>(m, "Metric", "A number with its convention.")
      .def_readonly("name", &Metric::name)
      .def_readonly("value", &Metric::value)
      .def_readonly("convention", &Metric::convention)
      .def_property_readonly("detail", [](const Metric& metric) {
        py::dict detail;
        for (const auto& [name, values] : metric.detail)
          detail[py::str(name)] = py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data());
        return detail;
      });
  register_capacities(m);
  register_repeats(m);
  register_pairs(m);
}

}  // namespace lightloop::python
