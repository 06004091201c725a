#include "training/report/trial.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "core/only_with.hpp"
#include "training/layers/model.hpp"
#include "training/physical_maps.hpp"

namespace lightloop {
namespace {

constexpr Index kErrorRows = 256;          // rows that errors are measured on: 1 % of an rms of a few thousand numbers
constexpr std::int64_t kSeedStep = 10007;  // between two repeats: more than a network has tiles (assumed)

bool among(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

/// P(T <= t), Student's law with n degrees of freedom: the finite series in theta = atan(t / sqrt(n)).
double student_cdf(double t, Index n) {
  const double theta = std::atan(t / std::sqrt(static_cast<double>(n))), c = std::cos(theta), s = std::sin(theta);
  double term = n % 2 == 1 ? c : 1, sum = 0;
  for (Index k = n % 2 == 1 ? 1 : 0; k <= n - 2; k += 2) {
    sum += term;
    term *= c * c * static_cast<double>(k + 1) / static_cast<double>(k + 2);
  }
  return n % 2 == 1 ? 0.5 + (theta + s * sum) / std::numbers::pi : 0.5 + 0.5 * s * sum;
}

}  // namespace

double Spread::standard_error() const { return n > 0 ? sd / std::sqrt(static_cast<double>(n)) : 0; }

Spread spread(const std::vector<double>& values) {
  Spread all;
  all.n = static_cast<Index>(values.size());
  for (const double value : values) all.mean += value / static_cast<double>(all.n);
  for (const double value : values) all.sd += (value - all.mean) * (value - all.mean);
  all.sd = all.n > 1 ? std::sqrt(all.sd / static_cast<double>(all.n - 1)) : 0;
  return all;
}

double student_quantile(double p, Index freedom) {
  if (!(p > 0.5 && p < 1) || freedom < 1)
    throw OutOfRange("confidence", std::to_string(p), "above 0.5, below 1, with two repeats at least");
  double low = 0, high = 1;
  while (student_cdf(high, freedom) < p) high *= 2;
  for (int i = 0; i < 60; ++i) (student_cdf((low + high) / 2, freedom) < p ? low : high) = (low + high) / 2;
  return high;
}

double enob(double relative_error) {
  if (relative_error <= 0) return std::numeric_limits<double>::infinity();
  return (-20 * std::log10(relative_error) - 1.76) / 6.02;
}

double TrialResult::relative_error() const {
  if (!refused.empty()) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0;
  for (const double one : error) sum += one * one;
  return std::sqrt(sum / static_cast<double>(error.size()));
}

/// Makes the products in memory, and keeps evenly spaced rows of what every matrix is shown first.
class Trial::InMemory : public LayerProducts {
 public:
  InMemory(const Network& net, std::vector<Shown>& shown, PhysicalMaps* physics)
      : net_(net), matrices_(matrices_of(net)), shown_(shown), physics_(physics) {
    shown_.resize(matrices_.size());
  }
  void show(Index layer, View<const float> x, View<float> y) override {
    physics_ ? physics_->show(layer, x, y) : LayerProducts::show(layer, x, y);
  }
  void hold(const Network&) override {}
  void multiply(Index layer, View<const float> x, View<float> y) override {
    const auto found = std::ranges::find(matrices_, layer, &WeightMatrix::number);
    const View<const float> w = matrix_of(net_, *found, made_);
    gemm(Transpose::no, Transpose::yes, 1.0f, x, w, 0.0f, y);
    Shown& one = shown_[static_cast<std::size_t>(found - matrices_.begin())];
    if (one.x.size() > 0) return;
    const Index rows = std::min(kErrorRows, x.rows());
    one.x.resize(rows, x.cols());
    one.y.resize(rows, y.cols());
    for (Index r = 0; r < rows; ++r) {
      std::ranges::copy(x.row(r * x.rows() / rows), one.x.row(r).begin());
      std::ranges::copy(y.row(r * x.rows() / rows), one.y.row(r).begin());
    }
  }

 private:
  const Network& net_;
  std::vector<WeightMatrix> matrices_;
  Matrix<float> made_;
  std::vector<Shown>& shown_;
  PhysicalMaps* physics_;
};

Evaluation Trial::in_memory(const Network& net) const {
  const std::unique_ptr<Rule> rule = answers_(nullptr);
  if (!physics_ || rule) return evaluate(net, data_, loss_, rule.get());
  return physics_->evaluate(net, data_, loss_);
}

void Trial::look(const Network& net) {
  const Index rows = std::min({kErrorRows, data_.size(), samples_at_once(net, data_.size())});
  std::vector<std::uint32_t> first(static_cast<std::size_t>(rows));
  std::iota(first.begin(), first.end(), 0u);
  Matrix<float> x(rows, data_.features());
  data_.gather(first, x);
  Activations passed;
  InMemory products(net, shown_, physics_);
  if (net.model()) {
    lightloop::forward(net, x, passed, {.products = &products});
    return;
  }
  physics_ ? physics_->forward(net, x, passed) : lightloop::forward(net, x, passed);
  for (Index l = 0; l < net.layers(); ++l) {
    Matrix<float> y(rows, net.weights(l).rows());
    products.multiply(l, passed.came(l), y);
  }
}

Trial::Trial(const Registry& registry, AnalogPlace place, const Network& net, const Dataset& data, Loss loss,
             TrialOptions options, Answers answers, PhysicalMaps* physics)
    : registry_(registry),
      place_(std::move(place)),
      net_(net),
      physics_(physics),
      loss_(loss),
      options_(options),
      answers_(answers ? std::move(answers) : [](LayerProducts*) -> std::unique_ptr<Rule> { return nullptr; }) {
  if (options.repeats < 1 || options.samples < 0)
    throw OutOfRange("repeats and samples", std::to_string(options.repeats) + ", " + std::to_string(options.samples),
                     "at least 1 and 0");
  if (net.model() && net.model()->graph())
    throw Unsupported("report on net " + net.text(), "a graph, of which no sample stands alone", "",
                      "`lightloop eval RUN --device DEVICE` scores it");
  check_fit(net, data);
  if (data.values.size() > 0)
    throw Unsupported("accuracy on " + data.name, "its targets are real numbers", "a label per sample",
                      "`lightloop eval RUN --device DEVICE` gives the square error");
  data_ = options.samples > 0 && options.samples < data.size() ? data.some(options.samples) : data;

  if (!physics_ && net.model() && !net.model()->physics().empty())
    throw Unsupported("report on net " + net.text(), "no device stands for its physical layers", "",
                      "`lightloop report --net RUN.h5` opens that of the run");
  if (physics_) as_trained_ = physics_->snapshot();
  digital_ = in_memory(net).accuracy;
  look(net);
  layers_ = analog_layers(net);
  AnalogNetwork once(registry_, place_, net);
  answers_(&once);  // a rule that cannot be asked there says so now
  shared_ = once.devices().shared();
  settings_ = once.devices().opened().front()->session->settings();
  for (const ParamInfo& info : settings_.infos()) {
    if (!info.off) continue;
    if (!in_force(info, settings_))
      asleep_.push_back(info.name);
    else if (settings_.value(info.name) != *info.off ||
             std::ranges::any_of(place_.own, [&](const Settings& own) { return own.contains(info.name); }))
      sources_.push_back(info.name);
  }
}

Variant Trial::without(const std::vector<std::string>& sources) const {
  Variant variant{{}, place_.own};
  const auto take_away = [&](const std::string& name) {
    if (!settings_.has(name) || !info(name).off)
      throw UnknownName("source of error", name, "", "`lightloop devices` lists them with the value that is \"off\".");
    variant.settings[name] = *info(name).off;
    for (Settings& own : variant.own) own.erase(name);
  };
  for (const std::string& name : sources) take_away(name);
  ParamSet changed = settings_;
  changed.set(variant.settings);
  for (const std::string& name : asleep_)
    if (in_force(info(name), changed)) take_away(name);
  for (const ParamInfo& other : settings_.infos())  // a switch of cells that are others now would be refused
    if (!other.off && in_force(other, settings_) && !in_force(other, changed)) {
      variant.settings[other.name] = other.default_value;
      for (Settings& own : variant.own) own.erase(other.name);
    }
  return variant;
}

Variant Trial::with_only(const std::vector<std::string>& sources) const {
  std::vector<std::string> others = sources_;
  std::erase_if(others, [&](const std::string& name) { return among(sources, name); });
  return without(others);
}

std::vector<std::string> Trial::beside(const std::string& source) const {
  std::vector<std::string> found = {source};
  for (std::size_t i = 0; i < found.size(); ++i)
    for (const Condition& one : conditions(info(found[i])))
      if (among(sources_, one.key) && !among(found, one.key) && (one.values.empty() || !one.holds(*info(one.key).off)))
        found.push_back(one.key);
  std::vector<std::string> ordered = sources_;
  std::erase_if(ordered, [&](const std::string& name) { return name == source || !among(found, name); });
  return ordered;
}

bool Trial::sizes_others(const std::string& source) const {
  return std::ranges::any_of(sources_, [&](const std::string& name) {
    return std::ranges::any_of(conditions(info(name)),
                               [&](const Condition& one) { return one.key == source && one.values.empty(); });
  });
}

bool Trial::drifts(const std::vector<std::string>& sources) const {
  const AnalogNetwork analog(registry_, placed(with_only(sources)), net_);
  return std::ranges::any_of(analog.devices().opened(),
                             [](const auto& device) { return device->session->info().stateful; });
}

std::vector<ParamSet> Trial::layer_settings() const {
  std::vector<ParamSet> all(static_cast<std::size_t>(layers()), settings_);
  for (std::size_t l = 0; l < std::min(all.size(), place_.own.size()); ++l) all[l].set(place_.own[l]);
  return all;
}

const ParamInfo& Trial::info(const std::string& name) const {
  return *std::ranges::find(settings_.infos(), name, &ParamInfo::name);
}

AnalogPlace Trial::placed(const Variant& variant) const {
  AnalogPlace place = place_;
  for (const auto& [key, value] : variant.settings) place.settings[key] = value;
  place.own = variant.own;
  return place;
}

Trial::Declared Trial::declared(const Variant& variant) const {
  const AnalogNetwork analog(registry_, placed(variant), net_);
  Declared all;
  for (const auto& device : analog.devices().opened()) {
    const CostModel& cost = device->session->info().cost;
    all.frame_j += cost.power_w * cost.frame_s;
    all.latency_s += seconds(latency_of(cost));
  }
  return all;
}

TrialResult Trial::run(const Variant& variant, Index repeat) const {
  AnalogPlace place = placed(variant);
  if (settings_.has("seed")) place.settings["seed"] = settings_.integer("seed") + kSeedStep * repeat;
  AnalogNetwork analog(registry_, place, net_);
  if (physics_) physics_->restore_session(as_trained_);
  analog.stand_behind(physics_);
  try {
    analog.program(net_);
  } catch (const CalibrationError& error) {
    TrialResult useless;
    useless.refused = error.what();
    useless.layers = analog.reports();
    useless.samples = data_.size();
    return useless;
  }
  if (options_.age_s != 0 && variant.aged) analog.devices().age(options_.age_s);
  const std::vector<LayerReport> written = analog.reports();
  TrialResult result;
  result.accuracy = analog.evaluate(net_, data_, loss_, answers_(&analog).get()).accuracy;
  result.samples = data_.size();
  result.layers = analog.reports();
  for (std::size_t l = 0; l < written.size(); ++l) {
    const double joules = result.layers[l].device_j - written[l].device_j;
    result.sample_j += joules / static_cast<double>(data_.size());
    if (const auto frames = result.layers[l].frames - written[l].frames; frames > 0)
      result.frame_j += (joules - (result.layers[l].program_j - written[l].program_j)) / static_cast<double>(frames);
  }
  std::vector<double> error(written.size()), size(written.size());
  for (std::size_t l = 0; l < analog.products(); ++l) {
    const Matrix<float>&x = shown_[l].x, &wanted = shown_[l].y;
    Matrix<float> answer(wanted.rows(), wanted.cols());
    analog.product(l).forward(x, answer);
    for (Index i = 0; i < wanted.size(); ++i) {
      const auto exact = static_cast<double>(wanted.data()[i]), off = static_cast<double>(answer.data()[i]) - exact;
      error[analog.layer_of(l)] += off * off;
      size[analog.layer_of(l)] += exact * exact;
    }
  }
  for (std::size_t l = 0; l < written.size(); ++l)
    result.error.push_back(size[l] > 0 ? std::sqrt(error[l] / size[l]) : 0);
  return result;
}

}  // namespace lightloop
