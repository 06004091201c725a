#include "training/report/sensitivity.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "core/error.hpp"
#include "core/hdf5.hpp"

namespace lightloop {
namespace {

using Names = std::vector<std::string>;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

struct Measured {
  Spread accuracy;
  double error = kNone;  ///< rms over repeats and layers
  TrialResult last;      ///< that was not refused, if any
};

double square(double x) { return x * x; }

/// Deploys variants, repeat by repeat.
class Bench {
 public:
  Bench(const Trial& trial, Sensitivity& report, const std::function<bool(Index, Index)>& progress)
      : trial_(trial), report_(report), progress_(progress) {}

  Measured measure(const Variant& variant) {
    Measured measured;
    std::vector<double> accuracies;
    double squares = 0;
    for (Index r = 0; r < report_.repeats; ++r) {
      TrialResult result = trial_.run(variant, r);
      if (progress_ && !progress_(++done_, report_.deployments)) throw Cancelled("sensitivity report", "stopped");
      if (!result.refused.empty()) {
        if (report_.refused++ == 0) report_.refusal = result.refused;
        if (accuracies.empty()) measured.last = std::move(result);
        continue;
      }
      accuracies.push_back(result.accuracy);
      squares += square(result.relative_error());
      measured.last = std::move(result);
    }
    measured.accuracy = spread(accuracies);
    if (accuracies.empty())
      measured.accuracy.mean = kNone;
    else
      measured.error = std::sqrt(squares / static_cast<double>(accuracies.size()));
    return measured;
  }
  /// These sources and no others, just written.
  const Measured& only(const Names& sources) {
    const auto found = only_.find(sources);
    return found != only_.end() ? found->second : only_[sources] = measure(fresh(trial_.with_only(sources)));
  }
  static Variant fresh(Variant variant) {
    variant.aged = false;
    return variant;
  }

 private:
  const Trial& trial_;
  Sensitivity& report_;
  const std::function<bool(Index, Index)>& progress_;
  Index done_ = 0;
  std::map<Names, Measured> only_;
};

/// How much a source adds to the squared error; not a number where it could not be measured.
double added(const SensitivityRow& row) {
  const double more = square(row.error_alone) - square(row.error_before);
  return more < 0 ? 0 : more;
}

/// Effective bits that the rows leave beside the error of no source; `gone` says which are without effect.
template <class Gone>
double predicted(double error_none, const std::vector<SensitivityRow>& rows, Gone&& gone) {
  double sum = square(error_none);
  for (const SensitivityRow& row : rows)
    if (!gone(row)) sum += added(row);
  return enob(std::sqrt(sum));
}

/// A loss that could not be measured is the worst.
double rank(double loss) { return std::isnan(loss) ? std::numeric_limits<double>::infinity() : loss; }

}  // namespace

Sensitivity sensitivity(const Trial& trial, const std::string& device,
                        const std::function<bool(Index, Index)>& progress) {
  const Names& sources = trial.sources();
  const double age_s = trial.options().age_s;
  const auto with = [&](const std::string& source) {
    Names all;
    const Names beside = trial.beside(source);
    for (const std::string& name : sources)
      if (name == source || std::ranges::count(beside, name) > 0) all.push_back(name);
    return all;
  };
  std::set<Names> sets = {{}};
  for (const std::string& name : sources) sets.insert({trial.beside(name), with(name)});
  Names drifting;  // those that come with a drift
  for (const std::string& name : sources)
    if (age_s != 0 && trial.drifts(with(name))) drifting.push_back(name);
  if (age_s != 0) sets.insert(drifting);

  Sensitivity report;
  report.device = device;
  report.digital_accuracy = trial.digital_accuracy();
  report.repeats = trial.options().repeats;
  report.age_s = age_s;
  report.deployments = static_cast<Index>(sets.size() + 1 + sources.size() + (age_s != 0 ? 2 : 0)) * report.repeats;
  Bench bench(trial, report, progress);
  const Measured none = bench.only({}), all = bench.measure(trial.without({}));
  report.none = none.accuracy;
  report.all = all.accuracy;
  report.error_none = none.error;
  report.error_all = all.error;
  report.samples = all.last.samples;
  report.cost = all.last.layers;
  report.sample_j = all.last.refused.empty() ? all.last.sample_j : kNone;
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
  const std::vector<ParamSet> layers = trial.layer_settings();
  for (const std::string& name : sources) {
    SensitivityRow row;
    const auto info = std::ranges::find(trial.settings().infos(), name, &ParamInfo::name);
    row.name = name;
    row.unit = info->unit;
    row.value = trial.settings().value(name);
    row.off = *info->off;
    if (std::ranges::any_of(layers, [&](const ParamSet& layer) { return layer.value(name) != row.value; }))
      for (const ParamSet& layer : layers) row.layers.push_back(layer.value(name));
    row.beside = trial.beside(name);
    const Measured &before = bench.only(row.beside), &with_it = bench.only(with(name));
    add(std::move(row), before, with_it, bench.measure(trial.without({name})));
  }
  if (age_s != 0) {
    SensitivityRow row;
    row.name = kAgeRow;
    row.unit = "s";
    row.value = age_s;
    row.off = 0.0;
    row.beside = drifting;
    add(std::move(row), bench.only(drifting), bench.measure(trial.with_only(drifting)),
        bench.measure(Bench::fresh(trial.without({}))));
  }
  report.enob_measured = enob(all.error);
  report.enob_predicted = predicted(none.error, report.rows, [](const SensitivityRow&) { return false; });
  for (SensitivityRow& row : report.rows) {
    const auto goes_with_it = [&](const SensitivityRow& other) {
      if (other.name == row.name) return true;
      if (std::ranges::count(other.beside, row.name) == 0) return false;
      Names left = other.beside;
      std::erase(left, row.name);
      return other.name != kAgeRow || !trial.drifts(left);
    };
    row.enob_without_predicted =
        trial.sizes_others(row.name) ? kNone : predicted(none.error, report.rows, goes_with_it);
  }
  std::ranges::stable_sort(report.rows, [](const SensitivityRow& a, const SensitivityRow& b) {
    const double lost_a = rank(a.lost_alone), lost_b = rank(b.lost_alone);
    return lost_a != lost_b ? lost_a > lost_b : rank(a.error_alone) > rank(b.error_alone);
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
  set("age_s", report.age_s);
  set("deployments", static_cast<std::int64_t>(report.deployments));
  set("refused", static_cast<std::int64_t>(report.refused));
  if (report.refused > 0) set("refusal", report.refusal);
  Names names, values, beside;
  for (const SensitivityRow& row : report.rows) {
    names.push_back(row.name);
    values.push_back(to_string(row.value));
    beside.emplace_back();
    for (const std::string& name : row.beside) beside.back() += (beside.back().empty() ? "" : ", ") + name;
  }
  const auto n = static_cast<Index>(names.size());
  if (n == 0) return file.commit();
  file.attribute("/", "sources", names);
  file.attribute("/", "values", values);
  file.attribute("/", "beside", beside);
  const auto column = [&](const char* name, auto&& get) {
    std::vector<double> numbers;
    for (const SensitivityRow& row : report.rows) numbers.push_back(get(row));
    file.write(std::string("/sources/") + name, std::span<const double>(numbers), {n}, "1");
  };
  column("accuracy_before", [](const SensitivityRow& row) { return row.before.mean; });
  column("error_before", [](const SensitivityRow& row) { return row.error_before; });
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
