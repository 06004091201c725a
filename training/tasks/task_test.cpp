#include "training/tasks/task.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>

#include "core/error.hpp"
#include "core/fft.hpp"
#include "training/echo_state.hpp"
#include "training/tasks/evaluate.hpp"
#include "training/tasks/kuramoto_sivashinsky.hpp"

using namespace lightloop;

namespace {

struct Spread {
  double mean = 0, variance = 0;
};
Spread spread(View<const double> y, Index column = 0) {
  Spread s;
  for (Index t = 0; t < y.rows(); ++t) s.mean += y(t, column) / static_cast<double>(y.rows());
  for (Index t = 0; t < y.rows(); ++t)
    s.variance += (y(t, column) - s.mean) * (y(t, column) - s.mean) / static_cast<double>(y.rows());
  return s;
}

bool found(const char* name) {
  try {
    make_task(name);
    return true;
  } catch (const FileError&) {
    WARN("skipped: the data of " << name << " are not here (set LIGHTLOOP_DATA)");
    return false;
  }
}

}  // namespace

TEST_CASE("every task makes series of the lengths it says, with a convention, and finite numbers") {
  for (const TaskModel& model : tasks()) {
    INFO(model.name);
    CHECK_FALSE(model.summary.empty());
    CHECK_FALSE(model.source.empty());
    if ((model.name == "santa_fe" || model.name == "japanese_vowels") && !found(model.name.c_str())) continue;
    if (model.name == "kuramoto_sivashinsky" && !RealFft::available()) continue;
    Settings small;
    if (model.name != "japanese_vowels") small = {{"train", std::int64_t{50}}, {"test", std::int64_t{20}}};
    const Task task = make_task(model.name, small);
    CHECK_FALSE(task.convention.empty());
    CHECK(task.targets.rows() == task.washout + task.train + task.test);
    CHECK(task.inputs.rows() == (task.starts.empty() ? task.targets.rows() : Index{9961}));
    for (const double v : task.inputs.flat()) CHECK(std::isfinite(v));
    for (const double v : task.targets.flat()) CHECK(std::isfinite(v));
  }
  CHECK_THROWS_AS(make_task("narma"), UnknownName);
  CHECK_THROWS_AS(make_task("narma10", {{"horizon", std::int64_t{3}}}), UnknownName);
}

TEST_CASE("NARMA10 obeys its recursion and has the variance of the canonical form") {
  const Task task = make_task("narma10", {{"train", std::int64_t{60000}}});
  const auto u = task.inputs.view(), next = task.targets.view();
  for (Index t = 100; t < 110; ++t) {
    double sum = 0;
    for (Index i = 0; i < 10; ++i) sum += next(t - 1 - i, 0);
    const double y = next(t - 1, 0);
    CHECK(next(t, 0) == Approx(0.3 * y + 0.05 * y * sum + 1.5 * u(t - 9, 0) * u(t, 0) + 0.1).epsilon(1e-12));
  }
  // 0.0118 in a series of 200 000 made by another program; correlations of some tens of steps: 2 % of statistics
  CHECK(spread(next.rows(200, 60000)).variance == Approx(0.0118).epsilon(0.05));
}

TEST_CASE("Santa Fe has the published values and linear baselines") {
  if (!found("santa_fe")) return;
  const Task task = make_task("santa_fe");
  CHECK(task.inputs(0, 0) == 86);
  CHECK(task.inputs(4, 0) == 22);
  CHECK(task.targets(0, 0) == 141);
  // Persistence 0.961; least squares on the last 1, 4, 8 samples 0.730, 0.288, 0.199.
  const double expected[] = {0.730, 0.288, 0.199};
  const Index taps[] = {1, 4, 8};
  for (int i = 0; i < 3; ++i) {
    Task with = task;
    with.baseline_taps = taps[i];
    CHECK(linear_baseline(with).value == Approx(expected[i]).margin(2e-3));
  }
  CHECK_THROWS_AS(make_task("santa_fe", {{"train", std::int64_t{9500}}}), OutOfRange);
  CHECK_THROWS_AS(make_task("santa_fe", {{"train", std::int64_t{5}}}), OutOfRange);
}

TEST_CASE("Japanese vowels are 640 utterances, and the mean frame tells most speakers apart") {
  if (!found("japanese_vowels")) return;
  const Task task = make_task("japanese_vowels");
  CHECK(task.starts.size() == 640);
  CHECK(task.inputs(0, 0) == Approx(1.860936));
  CHECK(task.starts[270] == 4274);
  const auto baseline = linear_baseline(task);
  INFO(baseline.value);
  CHECK(baseline.value < 0.15);
  CHECK(baseline.value > 0.01);
}

TEST_CASE("the channel has the stated signal-to-noise ratio and symbols") {
  const Task clean = make_task("channel", {{"snr_db", 200.0}}), noisy = make_task("channel", {{"snr_db", 20.0}});
  double power = 0;
  for (Index t = 0; t < clean.inputs.rows(); ++t) power += std::pow(noisy.inputs(t, 0) - clean.inputs(t, 0), 2);
  power /= static_cast<double>(clean.inputs.rows());
  // chi-square of 24 200 degrees: sd 0.9 %
  CHECK(spread(clean.inputs.view()).variance / power == Approx(100).epsilon(0.04));
  // the noise-free u from the symbols themselves
  const auto d = [&](Index n) { return clean.targets(n, 0); };
  const double q = .08 * d(22) - .12 * d(21) + d(20) + .18 * d(19) - .1 * d(18) + .091 * d(17) - .05 * d(16) +
                   .04 * d(15) + .03 * d(14) + .01 * d(13);
  CHECK(clean.inputs(20, 0) == Approx(q + 0.036 * q * q - 0.011 * q * q * q).margin(1e-8));
  const Task late = make_task("channel", {{"delay", std::int64_t{2}}});
  CHECK(late.score == Score::symbol_error_rate);
}

TEST_CASE(
    "no linear read-out errs less than a quarter of the time on exclusive or, header words are those of the bits") {
  // Null: p = 1/4, n = 2000: sd 0.0097, one-sided at 4 sd
  CHECK(linear_baseline(make_task("xor")).value > 0.25 - 4 * 0.0097);
  const Task header = make_task("header");
  CHECK(header.targets.cols() == 8);
  for (Index t = 200; t < 300; ++t) {
    const auto word =
        static_cast<Index>(4 * header.inputs(t - 2, 0) + 2 * header.inputs(t - 1, 0) + header.inputs(t, 0));
    CHECK(header.targets(t, word) == 1);
  }
}

TEST_CASE("Mackey-Glass has the mean and spread of its attractor, whatever the step") {
  // 0.930 and 0.226 at tau 17, measured over a long run; a method of first order is off by per cents
  for (const double step : {0.1, 0.05}) {
    const Task task = make_task("mackey_glass", {{"train", std::int64_t{20000}}, {"step", step}});
    const Spread s = spread(task.inputs.view());
    CHECK(s.mean == Approx(0.930).margin(0.004));
    CHECK(std::sqrt(s.variance) == Approx(0.226).margin(0.004));
  }
  CHECK_THROWS_AS(make_task("mackey_glass", {{"sample", 1.05}}), InvalidParameter);
}

TEST_CASE("Lorenz' series is the attractor's and starts where it always does") {
  const Task task = make_task("lorenz63", {{"train", std::int64_t{20000}}});
  CHECK(spread(task.inputs.view(), 2).mean == Approx(23.55).epsilon(0.01));  // <z> of the attractor
  for (Index t = 0; t < 5; ++t)
    for (Index c = 0; c < 3; ++c) CHECK(task.targets(t, c) == task.inputs(t + 1, c));
}

TEST_CASE("the Kuramoto-Sivashinsky stepper is of fourth order and conserves the mean") {
  if (!RealFft::available()) return;
  const auto at = [](double step) {
    KuramotoSivashinsky model(32, 22, step);
    std::vector<double> u(32);
    for (std::size_t i = 0; i < 32; ++i) u[i] = std::cos(2 * 3.14159265358979 * static_cast<double>(i) / 32) + 0.1;
    model.set(u);
    for (int i = 0; i < std::lround(10 / step); ++i) model.step();
    model.get(u);
    return u;
  };
  const auto exact = at(1.0 / 512);
  const auto error = [&](const std::vector<double>& u) {
    double sum = 0;
    for (std::size_t i = 0; i < 32; ++i) sum += (u[i] - exact[i]) * (u[i] - exact[i]);
    return std::sqrt(sum);
  };
  const double coarse = error(at(1.0 / 64)), fine = error(at(1.0 / 128));
  INFO(coarse << " " << fine);
  CHECK(std::log2(coarse / fine) == Approx(4).margin(0.25));  // 3.5 at 1/32, 3.7 at 1/64: stiff modes come late
  double mean = 0;
  for (const double u : exact) mean += u / 32;
  CHECK(mean == Approx(0.1).epsilon(1e-10));
}

TEST_CASE("golden: what each generated task begins with") {
  // A changed number here changes every score made with it: a breaking change.
  const Settings small = {{"train", std::int64_t{50}}, {"test", std::int64_t{20}}};
  const Task narma = make_task("narma10", small), channel = make_task("channel", small),
             exclusive = make_task("xor", small);
  CHECK(narma.inputs(0, 0) == Approx(0.2945349507619806).epsilon(1e-12));
  CHECK(narma.targets(20, 0) == Approx(0.5955875499023982).epsilon(1e-12));
  CHECK(channel.inputs(0, 0) == Approx(-0.3771757104618076).epsilon(1e-12));
  CHECK(channel.targets(20, 0) == -1);
  const double bits[] = {1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1};
  for (Index t = 0; t < 12; ++t) CHECK(exclusive.targets(t, 0) == bits[t]);
  CHECK(make_task("header", small).targets(20, 6) == 1);
  // 100 time units of chaos multiply rounding by e^90: only statistics of Lorenz' series can be pinned, not its values
}

TEST_CASE("an echo-state network beats the linear baselines it should beat", "[law]") {
  EchoStateSettings settings;
  settings.nodes = 200;
  settings.bias_scaling = 0.5;
  EchoState network(settings);
  const Task narma = make_task("narma10"), exclusive = make_task("xor");
  CHECK(evaluate(narma, task_states(network, narma, 0.8, -0.2)).value < 0.5 * linear_baseline(narma).value);
  CHECK(evaluate(exclusive, task_states(network, exclusive)).value < 0.01);
}
