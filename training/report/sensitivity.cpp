#include "training/report/sensitivity.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/hdf5.hpp"

namespace lightloop {
namespace {

struct Measured {
  Spread accuracy;
  double error = 0;  ///< rms over repeats and layers
  TrialResult last;
};

double square(double x) { return x * x; }

}  // namespace

Sensitivity sensitivity(const Trial& trial, const std::string& device,
                        const std::function<bool(Index, Index)>& progress) {
  const std::vector<std::string>& sources = trial.sources();
  const Index repeats = trial.options().repeats;
  const double age_s = trial.options().age_s;
  const Index deployments = (2 * static_cast<Index>(sources.size()) + (age_s != 0 ? 5 : 2)) * repeats;
  Index done = 0;
  const auto measure = [&](const Variant& variant) {
    Measured measured;
    std::vector<double> accuracies;
    for (Index r = 0; r < repeats; ++r) {
      measured.last = trial.run(variant, r);
      accuracies.push_back(measured.last.accuracy);
      measured.error += square(measured.last.relative_error()) / static_cast<double>(repeats);
      if (progress && !progress(++done, deployments)) throw Cancelled("sensitivity report", "stopped");
    }
    measured.accuracy = spread(accuracies);
    measured.error = std::sqrt(measured.error);
    return measured;
  };
  Sensitivity report;
  report.device = device;
  report.digital_accuracy = trial.digital_accuracy();
  report.repeats = repeats;
  const auto fresh = [](Variant variant) {
    variant.aged = false;
    return variant;
  };
  const Measured none = measure(fresh(trial.without(sources))), all = measure(trial.without({}));
  report.none = none.accuracy;
  report.all = all.accuracy;
  report.error_none = none.error;
  report.error_all = all.error;
  report.samples = all.last.samples;
  report.cost = all.last.layers;
  report.sample_j = all.last.sample_j;
  const auto add = [&](SensitivityRow row, const Measured& before, const Measured& alone, const Measured& without) {
    row.before = before.accuracy;
    row.alone = alone.accuracy;
    row.without = without.accuracy;
    row.lost_alone = before.accuracy.mean - alone.accuracy.mean;
    row.won_without = without.accuracy.mean - all.accuracy.mean;
    row.error_before = before.error;
    row.error_alone = alone.error;
    row.enob_alone = enob(alone.error);
    row.enob_without = enob(without.error);
    report.rows.push_back(std::move(row));
  };
  for (const std::string& name : sources) {
    SensitivityRow row;
    const auto info = std::ranges::find(trial.settings().infos(), name, &ParamInfo::name);
    row.name = name;
    row.unit = info->unit;
    row.value = trial.settings().value(name);
    row.off = *info->off;
    std::vector<std::string> others = sources;
    std::erase(others, name);
    add(std::move(row), none, measure(fresh(trial.without(others))), measure(trial.without({name})));
  }
  if (age_s != 0) {
    std::vector<std::string> numbers;  // words say what kind of device it is, and so what drifts
    for (const std::string& name : sources)
      if (!std::holds_alternative<std::string>(trial.settings().value(name))) numbers.push_back(name);
    const Variant kind = trial.without(numbers);
    SensitivityRow row;
    row.name = kAgeRow;
    row.unit = "s";
    row.value = age_s;
    row.off = 0.0;
    add(std::move(row), measure(fresh(kind)), measure(kind), measure(fresh(trial.without({}))));
  }
  const auto added = [](const SensitivityRow& row) {
    return std::max(0.0, square(row.error_alone) - square(row.error_before));
  };
  double sum = square(none.error);
  for (const SensitivityRow& row : report.rows) sum += added(row);
  report.enob_measured = enob(all.error);
  report.enob_predicted = enob(std::sqrt(sum));
  for (SensitivityRow& row : report.rows) row.enob_without_predicted = enob(std::sqrt(std::max(0.0, sum - added(row))));
  std::ranges::stable_sort(report.rows, [](const SensitivityRow& a, const SensitivityRow& b) {
    return a.lost_alone != b.lost_alone ? a.lost_alone > b.lost_alone : a.error_alone > b.error_alone;
  });
  return report;
}

void save(const Sensitivity& report, const std::string& path) {
  h5::Writer file(path);
  const auto set = [&](const char* name, const Value& value) { file.attribute("/", name, value); };
  set("kind", std::string("sensitivity"));
  set("format_version", std::int64_t{1});
  set("device", report.device);
  set("digital_accuracy", report.digital_accuracy);
  set("accuracy_none", report.none.mean);
  set("accuracy_all", report.all.mean);
  set("accuracy_all_sd", report.all.sd);
  set("enob_measured", report.enob_measured);
  set("enob_predicted", report.enob_predicted);
  set("repeats", static_cast<std::int64_t>(report.repeats));
  set("samples", static_cast<std::int64_t>(report.samples));
  std::vector<std::string> names;
  for (const SensitivityRow& row : report.rows) names.push_back(row.name);
  const auto n = static_cast<Index>(names.size());
  if (n == 0) return file.commit();
  file.attribute("/", "sources", names);
  const auto column = [&](const char* name, auto&& get) {
    std::vector<double> values;
    for (const SensitivityRow& row : report.rows) values.push_back(get(row));
    file.write(std::string("/sources/") + name, std::span<const double>(values), {n}, "1");
  };
  column("accuracy_alone", [](const SensitivityRow& row) { return row.alone.mean; });
  column("accuracy_alone_sd", [](const SensitivityRow& row) { return row.alone.sd; });
  column("accuracy_without", [](const SensitivityRow& row) { return row.without.mean; });
  column("accuracy_without_sd", [](const SensitivityRow& row) { return row.without.sd; });
  column("error_alone", [](const SensitivityRow& row) { return row.error_alone; });
  column("enob_alone", [](const SensitivityRow& row) { return row.enob_alone; });
  column("enob_without", [](const SensitivityRow& row) { return row.enob_without; });
  column("enob_without_predicted", [](const SensitivityRow& row) { return row.enob_without_predicted; });
  file.commit();
}

}  // namespace lightloop
