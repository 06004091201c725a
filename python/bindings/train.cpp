#include <pybind11/stl.h>

#include <algorithm>
#include <optional>

#include "core/error.hpp"
#include "python/bindings/answer.hpp"
#include "python/bindings/arrays.hpp"
#include "python/bindings/bindings.hpp"
#include "python/bindings/shares.hpp"
#include "training/parts.hpp"
#include "training/rules/rule.hpp"
#include "training/trainer.hpp"

namespace lightloop::python {
namespace {

/// Python callbacks seen from the training thread. The first exception they raise (Ctrl-C among them) stops the run as
/// any stop does, checkpoint included, and is raised again when train() has returned.
class Callbacks {
 public:
  Callbacks(py::object on_plan, py::object on_step, py::object on_epoch)
      : on_plan_(std::move(on_plan)), on_step_(std::move(on_step)), on_epoch_(std::move(on_epoch)) {}

  TrainObserver observer() {
    TrainObserver o;
    o.on_warning = [this](const std::string& text) {
      guarded([&] {
        if (PyErr_WarnEx(PyExc_RuntimeWarning, text.c_str(), 1) != 0) throw py::error_already_set();
        return true;
      });
    };
    if (!on_plan_.is_none())
      o.on_plan = [this](const TrainPlan& plan) { return guarded([&] { return on_plan_(plan).cast<bool>(); }); };
    if (!on_step_.is_none())
      o.on_step = [this](Index epoch, Index step, Index steps, double loss) {
        guarded([&] { return on_step_(epoch, step, steps, loss), true; });
      };
    if (!on_epoch_.is_none())
      o.on_epoch = [this](const EpochResult& result) { guarded([&] { return on_epoch_(result), true; }); };
    o.stop = [this] {
      guarded([] {
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        return true;
      });
      return raised_.has_value();
    };
    return o;
  }

  void raise_again() {
    if (raised_) throw py::error_already_set(*raised_);
  }

 private:
  template <class Body>
  bool guarded(Body&& body) {
    py::gil_scoped_acquire acquire;
    try {
      return body();
    } catch (py::error_already_set& e) {
      if (!raised_) raised_.emplace(e);
      return false;
    }
  }
  py::object on_plan_, on_step_, on_epoch_;
  std::optional<py::error_already_set> raised_;
};

std::unique_ptr<TrainResult> run_training(const py::dict& settings, const py::object& data, py::object on_plan,
                                          py::object on_step, py::object on_epoch) {
  const TrainSettings wanted = to_settings(settings);
  Callbacks callbacks(std::move(on_plan), std::move(on_step), std::move(on_epoch));
  auto result = std::make_unique<TrainResult>();
  if (data.is_none()) {
    py::gil_scoped_release release;
    *result = train(wanted, registry(), callbacks.observer());
  } else {
    const auto parts = data.cast<py::tuple>();
    TrainTest both{parts[0].cast<const Dataset&>(), parts[1].cast<const Dataset&>()};
    if (parts.size() > 2 && !parts[2].is_none()) both.validation = parts[2].cast<const Dataset&>();
    py::gil_scoped_release release;
    *result = train(wanted, std::move(both), registry(), callbacks.observer());
  }
  callbacks.raise_again();
  return result;
}

void register_results(py::module_& m) {
  py::class_<EpochResult>(m, "EpochResult", "What one epoch left behind.")
      .def_readonly("epoch", &EpochResult::epoch)
      .def_readonly("train_loss", &EpochResult::train_loss)
      .def_readonly("test_accuracy", &EpochResult::test_accuracy)
      .def_readonly("validation_accuracy", &EpochResult::validation_accuracy)
      .def_readonly("test_loss", &EpochResult::test_loss)
      .def_readonly("learning_rate", &EpochResult::learning_rate)
      .def_readonly("alignment", &EpochResult::alignment)
      .def_readonly("gradient_alignment", &EpochResult::gradient_alignment)
      .def_readonly("weight_alignment", &EpochResult::weight_alignment)
      .def_readonly("device_frames", &EpochResult::device_frames)
      .def_readonly("device_s", &EpochResult::device_s)
      .def_readonly("device_j", &EpochResult::device_j)
      .def_readonly("train_s", &EpochResult::train_s)
      .def_readonly("waited_s", &EpochResult::waited_s)
      .def_readonly("active_fraction", &EpochResult::active_fraction)
      .def_readonly("layer_loss", &EpochResult::layer_loss)
      .def_readonly("probe", &EpochResult::probe)
      .def_readonly("cka", &EpochResult::cka)
      .def_readonly("fidelity", &EpochResult::fidelity)
      .def_property_readonly("layer_passes", [](const EpochResult& e) { return e.touch.passes; })
      .def_property_readonly("projections", [](const EpochResult& e) { return e.touch.projections; })
      .def_property_readonly("layer_writes", [](const EpochResult& e) { return e.touch.writes; });
  py::class_<TrainPlan>(m, "TrainPlan", "What a training run will ask of the device, before the first frame.")
      .def_readonly("title", &TrainPlan::title, "What the run uses.")
      .def_readonly("device", &TrainPlan::device)
      .def_readonly("rule", &TrainPlan::rule)
      .def_readonly("dataset", &TrainPlan::dataset)
      .def_readonly("widths", &TrainPlan::widths)
      .def_readonly("net", &TrainPlan::net)
      .def_readonly("samples", &TrainPlan::samples)
      .def_readonly("epochs", &TrainPlan::epochs)
      .def_readonly("steps", &TrainPlan::steps)
      .def_property_readonly("layer_passes_per_step", [](const TrainPlan& p) { return p.touch_per_step.passes; })
      .def_property_readonly("projections_per_step", [](const TrainPlan& p) { return p.touch_per_step.projections; })
      .def_property_readonly("layer_writes_per_step", [](const TrainPlan& p) { return p.touch_per_step.writes; })
      .def_readonly("device_frames", &TrainPlan::device_frames)
      .def_readonly("device_seconds", &TrainPlan::device_seconds)
      .def_readonly("device_joules", &TrainPlan::device_joules)
      .def_readonly("frames_shown_once", &TrainPlan::frames_shown_once)
      .def_readonly("seconds_shown_once", &TrainPlan::seconds_shown_once)
      .def_readonly("joules_shown_once", &TrainPlan::joules_shown_once)
      .def_readonly("device_writes", &TrainPlan::device_writes)
      .def_readonly("exposure_s", &TrainPlan::exposure_s);
  py::class_<TrainResult>(m, "TrainResult", "A finished training run.")
      .def_readonly("net", &TrainResult::net)
      .def_readonly("title", &TrainResult::title)
      .def_readonly("rule", &TrainResult::rule)
      .def_property_readonly("rule_parameters", [](const TrainResult& r) { return to_array(r.own); })
      .def_property_readonly("settings", [](const TrainResult& r) { return from_settings(r.settings); })
      .def_readonly("device", &TrainResult::device)
      .def_readonly("map", &TrainResult::map)
      .def_readonly("out", &TrainResult::out)
      .def_readonly("epochs", &TrainResult::epochs)
      .def_readonly("test_accuracy", &TrainResult::test_accuracy)
      .def_readonly("train_seconds", &TrainResult::train_seconds)
      .def_readonly("samples_per_second", &TrainResult::samples_per_second)
      .def_readonly("device_frames", &TrainResult::device_frames)
      .def_readonly("device_writes", &TrainResult::device_writes)
      .def_readonly("device_seconds", &TrainResult::device_seconds)
      .def_readonly("device_joules", &TrainResult::device_joules)
      .def_readonly("clipped_inputs", &TrainResult::clipped_inputs)
      .def_readonly("saturated", &TrainResult::saturated)
      .def_readonly("alignment", &TrainResult::alignment)
      .def_readonly("seed", &TrainResult::seed)
      .def_readonly("weights_sha256", &TrainResult::weights_sha256)
      .def_readonly("health_start", &TrainResult::health_start)
      .def_readonly("health_end", &TrainResult::health_end)
      .def_readonly("warnings", &TrainResult::warnings)
      .def_property_readonly("devices", [](const TrainResult& r) { return shares(r.devices); })
      .def_property_readonly("faults",
                             [](const TrainResult& r) {
                               return py::dict(py::arg("retries") = r.device_retries,
                                               py::arg("losses") = r.device_losses,
                                               py::arg("reopened") = r.device_reopened);
                             })
      .def_readonly("interrupted", &TrainResult::interrupted);
}

/// Scores of `x` by a network in memory: of a rule that answers in its own way, or the logits.
py::array_t<float> scores(const Network& net, const BoundAnswer& answer, const py::object& x,
                          std::uint64_t first_sample) {
  const std::unique_ptr<Rule> rule = answer.on(net, nullptr);
  const View<const float> in = float_rows(x, net.widths().front(), "x");
  py::array_t<float> out(std::vector<py::ssize_t>{in.rows(), net.widths().back()});
  const View<float> to(out.mutable_data(), in.rows(), net.widths().back());
  py::gil_scoped_release release;
  const Index batch = samples_at_once(net, in.rows());
  Activations passed;
  for (Index first = 0; first < in.rows(); first += batch) {
    const View<const float> some = in.rows(first, std::min(batch, in.rows() - first));
    const std::uint64_t number = first_sample + static_cast<std::uint64_t>(first);
    rule ? answer_by_rule(*rule, net, some, number, passed) : forward(net, some, passed, {.first_sample = number});
    std::ranges::copy(passed.h.back().flat(), to.data() + first * to.cols());
  }
  return out;
}

void register_rules(py::module_& m) {
  using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;
  py::enum_<Needs>(m, "Needs", "The least a rule needs of a device.")
      .value("nothing", Needs::nothing)
      .value("fixed_projection", Needs::fixed_projection)
      .value("forward_only", Needs::forward_only)
      .value("two_phases", Needs::two_phases)
      .value("twin", Needs::twin);
  py::class_<RuleInfo>(m, "RuleInfo", "The record of a learning rule.")
      .def_readonly("name", &RuleInfo::name)
      .def_readonly("summary", &RuleInfo::summary)
      .def_readonly("equation", &RuleInfo::equation)
      .def_readonly("needs", &RuleInfo::needs)
      .def_readonly("cost", &RuleInfo::cost)
      .def_readonly("own_answer", &RuleInfo::own_answer)
      .def_readonly("graph_only", &RuleInfo::graph_only, "Whether it trains networks on graphs alone.")
      .def_readonly("maps", &RuleInfo::maps, "Whether it trains networks with physics in front of their layers.")
      .def_readonly("no_map", &RuleInfo::no_map, "Why not, of the others.")
      .def_readonly("source", &RuleInfo::source)
      .def_readonly("params", &RuleInfo::params);
  py::class_<BoundAnswer>(m, "Answer", "How a trained network answers: by a rule's own scores, or by its logits.")
      .def(py::init([](const std::string& rule, const py::dict& settings, std::uint64_t seed, const Floats& own) {
             return BoundAnswer{rule, to_settings(settings), seed, {own.data(), own.data() + own.size()}};
           }),
           py::arg("rule"), py::arg("settings"), py::arg("seed"), py::arg("parameters"))
      .def(py::init<>())
      .def_property_readonly("rule", [](const BoundAnswer& answer) { return answer.rule; });
  m.def("scores", &scores, py::arg("net"), py::arg("answer"), py::arg("x"), py::arg("first_sample") = 0,
        "Scores (rows, outputs) of a network in memory.");
  m.def(
      "rules",
      [] {
        std::vector<RuleInfo> all;
        for (const RuleModel& model : rules()) all.push_back(model.info);
        return all;
      },
      "The record of every learning rule of this build.");
}

}  // namespace

void register_train(py::module_& m) {
  register_results(m);
  register_rules(m);
  m.def("train_params", &train_params, "The settings of a training run, without the prefix 'train.'.");
  m.def(
      "parts_of",
      [](const py::dict& settings) {
        py::list parts;
        for (Part& part : parts_of(to_settings(settings)))
          parts.append(py::make_tuple(from_settings(part.settings),
                                      part.done ? py::cast(std::move(*part.done)) : py::object(py::none())));
        return parts;
      },
      py::arg("settings"),
      "[(settings, result or None), ...]: the main run, then its baselines; what an earlier call has done has a "
      "result.");
  m.def("train", &run_training, py::arg("settings"), py::arg("data") = py::none(), py::arg("on_plan") = py::none(),
        py::arg("on_step") = py::none(), py::arg("on_epoch") = py::none(),
        "Trains with the interpreter let go; callbacks run under it.");
}

}  // namespace lightloop::python
