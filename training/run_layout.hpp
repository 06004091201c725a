#pragma once
// What the writer and the reader of run files share.
#include <cstdint>
#include <string>

#include "core/error.hpp"
#include "training/layers/model.hpp"
#include "training/trainer.hpp"

namespace lightloop::run_layout {

/// 3: networks on graphs; 2: of any layers. A file is written as the lowest version that holds it.
constexpr std::int64_t kFormatVersion = 3;
inline std::int64_t version_of(const Network& net) { return !net.model() ? 1 : net.model()->graph() ? 3 : 2; }

/// One number per epoch in /curves.
struct Column {
  const char* name;
  const char* unit;
  double (*get)(const EpochResult&);
  void (*set)(EpochResult&, double);
  bool optional = false;  ///< left out where it begins with NaN
};

/// A whole number, stored as a real one.
inline std::int64_t whole(const char* name, double v) {
  if (!(v >= 0 && v < 9e15))
    throw FileError(std::string("/curves/") + name + " of a run file", to_string(Value(v)), "", "the file is damaged");
  return static_cast<std::int64_t>(v);
}

template <std::int64_t StepTouch::*member>
constexpr Column count(const char* name) {
  return {name, "1", [](const EpochResult& e) { return static_cast<double>(e.touch.*member); },
          [](EpochResult& e, double v) { e.touch.*member = whole("layer_passes, projections or layer_writes", v); }};
}

inline constexpr Column kColumns[] = {
    {"train_loss", "1", [](const EpochResult& e) { return e.train_loss; },
     [](EpochResult& e, double v) { e.train_loss = v; }},
    {"test_accuracy", "1", [](const EpochResult& e) { return e.test_accuracy; },
     [](EpochResult& e, double v) { e.test_accuracy = v; }},
    {"test_loss", "1", [](const EpochResult& e) { return e.test_loss; },
     [](EpochResult& e, double v) { e.test_loss = v; }, true},
    {"validation_accuracy", "1", [](const EpochResult& e) { return e.validation_accuracy; },
     [](EpochResult& e, double v) { e.validation_accuracy = v; }, true},
    {"learning_rate", "1", [](const EpochResult& e) { return e.learning_rate; },
     [](EpochResult& e, double v) { e.learning_rate = v; }},
    {"active_fraction", "1", [](const EpochResult& e) { return e.active_fraction; },
     [](EpochResult& e, double v) { e.active_fraction = v; }},
    {"device_frames", "1", [](const EpochResult& e) { return static_cast<double>(e.device_frames); },
     [](EpochResult& e, double v) { e.device_frames = whole("device_frames", v); }},
    {"device_s", "s", [](const EpochResult& e) { return e.device_s; },
     [](EpochResult& e, double v) { e.device_s = v; }},
    {"device_j", "J", [](const EpochResult& e) { return e.device_j; },
     [](EpochResult& e, double v) { e.device_j = v; }},
    count<&StepTouch::passes>("layer_passes"),
    count<&StepTouch::projections>("projections"),
    count<&StepTouch::writes>("layer_writes"),
    {"fidelity", "1", [](const EpochResult& e) { return e.fidelity; },
     [](EpochResult& e, double v) { e.fidelity = v; }},
    {"train_s", "s", [](const EpochResult& e) { return e.train_s; }, [](EpochResult& e, double v) { e.train_s = v; }},
    {"waited_s", "s", [](const EpochResult& e) { return e.waited_s; }, [](EpochResult& e, double v) { e.waited_s = v; },
     true},
};

/// Calls f(name, member) for each number of a Meter, in the order in which older files hold them.
template <class AMeter, class F>
void each_number(AMeter& meter, F&& f) {
  f("frames", meter.frames);
  f("batches", meter.batches);
  f("programs", meter.programs);
  f("codes", meter.codes);
  f("saturated", meter.saturated);
  f("device_s", meter.device_s);
  f("device_j", meter.device_j);
  f("retries", meter.retries);
  f("discarded", meter.discarded);
  f("checks", meter.checks);
  f("losses", meter.losses);
  f("reopened", meter.reopened);
}

}  // namespace lightloop::run_layout
