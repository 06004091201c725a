// `lightloop report`: what a network asks of its analog devices.
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>

#include "core/error.hpp"
#include "tools/lightloop/command.hpp"
#include "tools/lightloop/interrupt.hpp"
#include "tools/lightloop/json.hpp"
#include "tools/lightloop/samples.hpp"
#include "tools/lightloop/text.hpp"
#include "training/report/sensitivity.hpp"
#include "training/report/spec.hpp"
#include "training/run_file.hpp"

namespace lightloop::command {
namespace {

std::string fixed(const char* format, double value) {
  if (!std::isfinite(value)) return value > 0 ? "exact" : "-";
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string points(double fraction) { return fixed("%.2f", 100 * fraction); }

/// What calibration refused every time has no numbers.
std::string measured(const Spread& spread, const std::string& number) { return spread.n > 0 ? number : "refused"; }

/// Of a difference of two means.
std::string error_of(double difference, const Spread& one, const Spread& other) {
  return std::isnan(difference) ? "-" : points(std::hypot(one.standard_error(), other.standard_error()));
}

/// Mean with its standard error, in per cent.
std::string measured(const Spread& spread) {
  if (spread.n == 0) return "refused";
  return points(spread.mean) + " ± " + points(spread.standard_error()) + " %";
}

std::string shown(const Value& value) {
  if (const auto* real = std::get_if<double>(&value)) return fixed("%.3g", *real);
  return to_string(value);
}

/// A value of all layers, or theirs.
std::string shown(const Value& value, const std::vector<Value>& layers) {
  if (layers.empty()) return shown(value);
  std::string all;
  for (const Value& one : layers) all += (all.empty() ? "" : "/") + shown(one);
  return all;
}

/// A line on the terminal that each call replaces.
class Line {
 public:
  explicit Line(bool quiet) : shown_(!quiet && isatty(STDERR_FILENO) == 1) {}
  ~Line() { say(""); }
  void say(const std::string& text) const {
    if (shown_) std::fprintf(stderr, "\r\033[K%s", text.c_str());
  }

 private:
  bool shown_;
};

struct Subject {
  RunFile run;
  Dataset data;
  std::unique_ptr<PhysicalMaps> physics;
  Subject(const ReportRequest& request, const Registry& registry)
      : run(load_run(request.run)),
        data(samples_of(run, request.data, request.data_dir)),
        physics(physics_of(run, request.run, registry, said(run, "map"))) {}
  Trial trial(const ReportRequest& request, const Registry& registry) const {
    return Trial(
        registry, analog_place(request.device, request.settings, analog_layers(run.net)), run.net, data,
        loss_from(run.train.text("loss")), {request.repeats, request.samples, request.age_s},
        [this](LayerProducts* layers) { return physics ? rule_behind(run, *physics, layers) : rule_of(run, layers); },
        physics.get());
  }
};

void print_sensitivity(const Sensitivity& report) {
  std::printf("%lld samples, %lld repeats: digital %s, every source off %s, all on %s\n",
              static_cast<long long>(report.samples), static_cast<long long>(report.repeats),
              percent(report.digital_accuracy).c_str(), measured(report.none).c_str(), measured(report.all).c_str());
  std::printf("signal of the layers: %s bits measured, %s predicted from each source alone; %s a sample\n",
              fixed("%.2f", report.enob_measured).c_str(), fixed("%.2f", report.enob_predicted).c_str(),
              std::isfinite(report.sample_j) ? brief(report.sample_j, "J").c_str() : "-");
  if (report.rows.empty())
    std::puts(
        "No source of error is on: the device declares none that is. A parameter declares one by the value that takes "
        "it "
        "away (\"off\"; docs/your_device.md, docs/adding_a_device.md).");
  std::vector<std::vector<std::string>> rows = {{"source", "value", "off", "points lost alone", "±",
                                                 "points won without", "±", "ENOB alone", "ENOB without", "predicted",
                                                 "alone is beside"}};
  for (const SensitivityRow& row : report.rows)
    rows.push_back({row.name, shown(row.value, row.layers), shown(row.off), measured(row.alone, points(row.lost_alone)),
                    error_of(row.lost_alone, row.alone, row.before), measured(row.without, points(row.won_without)),
                    error_of(row.won_without, row.without, report.all), fixed("%.2f", row.enob_alone),
                    fixed("%.2f", row.enob_without), fixed("%.2f", row.enob_without_predicted),
                    join(row.beside, ", ")});
  std::fputs(table(rows).c_str(), stdout);
  std::fputs(residual_warnings(report.cost).c_str(), stdout);
}

void print_spec(const Spec& spec) {
  std::vector<std::vector<std::string>> rows = {
      {"parameter", "as asked", "alone as bad as", "together as bad as", "layers", "price"}};
  for (const SpecAxis& axis : spec.axes) {
    rows.push_back({axis.name, shown(axis.asked), shown(axis.alone), shown(axis.value),
                    axis.layers.empty() ? "all the same" : shown(axis.value, axis.layers),
                    axis.priced  ? "in joules"
                    : axis.timed ? "in time"
                                 : "none"});
  }
  std::fputs(table(rows).c_str(), stdout);
  std::printf("digital %s, as asked %s, found %s\n", percent(spec.digital_accuracy).c_str(),
              measured(spec.accuracy_asked).c_str(), measured(spec.accuracy).c_str());
  std::printf("loses less than %s points with %s confidence (%lld fresh deployments, %lld samples): %s\n",
              points(spec.lost_bound).c_str(), percent(spec.confidence).c_str(),
              static_cast<long long>(spec.accuracy.n), static_cast<long long>(spec.samples),
              spec.reached ? "reached" : "not reached");
  if (!spec.reached)
    std::printf("%s\n", spec.repeats_needed > 0 ? ("too few repeats to tell: about " +
                                                   std::to_string(spec.repeats_needed) + " are needed (--repeats)")
                                                      .c_str()
                                                : "more repeats would not help: as much is lost on average");
  std::printf("a sample takes %s, as asked %s, with the same parameters in every layer %s\n",
              brief(spec.sample_j, "J").c_str(), brief(spec.asked_j, "J").c_str(), brief(spec.common_j, "J").c_str());
  EnergyAccount energy;
  for (const LayerReport& layer : spec.layers) energy.add(layer.energy);
  std::printf("one deployment, %lld samples and the writing:\n", static_cast<long long>(spec.samples));
  std::fputs(energy_table(energy).c_str(), stdout);
  std::fputs(residual_warnings(spec.layers).c_str(), stdout);
}

int stopped() {
  std::fputs("lightloop: stopped before the report was complete.\n", stderr);
  return kInterrupted;
}

}  // namespace

int report_sensitivity(const ReportRequest& request, const Registry& registry) try {
  const Interrupt interrupt;
  if (!request.out.empty() && !request.force) refuse_existing(request.out);
  const Subject subject(request, registry);
  const Trial trial = subject.trial(request, registry);
  Sensitivity report;
  {
    const Line line(request.quiet || request.json);
    report = sensitivity(trial, request.device, [&](Index done, Index all) {
      line.say(std::to_string(done) + " of " + std::to_string(all) + " deployments");
      return !interrupt.requested();
    });
  }
  if (!request.out.empty()) save(report, request.out);
  if (report.refused > 0)
    std::fprintf(stderr, "lightloop: calibration refused %lld of %lld deployments, which have no numbers: %s\n",
                 static_cast<long long>(report.refused), static_cast<long long>(report.deployments),
                 report.refusal.c_str());
  if (request.json) {
    std::fputs(sensitivity_json(report).c_str(), stdout);
    return kDone;
  }
  std::printf("%s on %s\n", request.run.c_str(), request.device.c_str());
  print_sensitivity(report);
  if (!request.out.empty()) std::printf("%s (draw: lightloop plot %s)\n", request.out.c_str(), request.out.c_str());
  return kDone;
} catch (const Cancelled&) {
  return stopped();
}

int report_spec(const ReportRequest& request, const Registry& registry) try {
  const Interrupt interrupt;
  SpecOptions options{
      .drop = request.drop / 100, .confidence = request.confidence, .over = {}, .per_layer = request.per_layer};
  for (const std::string& key : request.over) {
    if (!key.starts_with("device."))
      throw UnknownName("setting", key, "", "settings of the device begin with device.: --over device.adc.bits");
    options.over.push_back(key.substr(std::string("device.").size()));
  }
  const Subject subject(request, registry);
  const Trial trial = subject.trial(request, registry);
  Spec spec;
  {
    const Line line(request.quiet || request.json);
    spec = find_spec(trial, request.device, options, [&](const std::string& text) {
      line.say("trying " + text);
      return !interrupt.requested();
    });
  }
  if (request.json) {
    std::fputs(spec_json(spec).c_str(), stdout);
  } else {
    std::printf("%s on %s\n", request.run.c_str(), request.device.c_str());
    print_spec(spec);
  }
  return spec.reached ? kDone : kFailed;
} catch (const Cancelled&) {
  return stopped();
}

}  // namespace lightloop::command
