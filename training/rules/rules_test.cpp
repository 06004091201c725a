#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"
#include "training/layers/architecture.hpp"
#include "training/rules/bench_for_tests.hpp"

using namespace lightloop;

namespace {

double derivative(double h) { return 1 - h * h; }

/// The broadcast family written out: signal s (m, C) -> mean gradient, double precision.
std::vector<double> reference(const Bench& bench, View<const float> b, const std::vector<std::vector<double>>& s) {
  const Network& net = bench.net;
  std::vector<double> g(net.parameters().size(), 0.0);
  const Index m = bench.error.rows();
  for (Index l = 0; l < net.layers(); ++l) {
    const Matrix<float>& in = bench.activations.h[std::size_t(l)];
    const Matrix<float>& out = bench.activations.h[std::size_t(l) + 1];
    for (Index r = 0; r < m; ++r)
      for (Index j = 0; j < out.cols(); ++j) {
        double delta = double(bench.error(r, std::min<Index>(j, bench.error.cols() - 1)));
        if (l < net.hidden_layers()) {
          delta = 0;
          for (Index c = 0; c < b.cols(); ++c) delta += double(b(j, c)) * s[std::size_t(r)][std::size_t(c)];
          delta *= derivative(double(out(r, j))) / std::sqrt(double(out.cols()));
        }
        const auto row = std::size_t(net.offset(l) + j * in.cols());
        for (Index i = 0; i < in.cols(); ++i) g[row + std::size_t(i)] += delta * double(in(r, i)) / double(m);
        g[std::size_t(net.offset(l) + out.cols() * in.cols() + j)] += delta / double(m);
      }
  }
  return g;
}

double worst(const std::vector<float>& a, const std::vector<double>& b) {
  double w = 0;
  for (std::size_t i = 0; i < a.size(); ++i) w = std::max(w, std::isnan(a[i]) ? 1e9 : std::fabs(double(a[i]) - b[i]));
  return w;
}

}  // namespace

TEST_CASE("every rule of the list has a complete record and is found by name") {
  REQUIRE(rules().size() >= 6);
  for (const RuleModel& model : rules()) {
    INFO(model.info.name);
    CHECK(&rule(model.info.name) == &model);
    CHECK_FALSE(model.info.summary.empty());
    CHECK_FALSE(model.info.equation.empty());
    CHECK_FALSE(model.info.cost.empty());
    CHECK_FALSE(model.info.source.empty());
    CHECK(ParamSet("rule", model.info.params).has("label_features") == model.info.in_features);
  }
  CHECK_THROWS_WITH(rule("dfaa"), Catch::Contains("did you mean"));
}

TEST_CASE("back-propagation equals central differences of the loss") {
  for (const Activation f : {Activation::tanh, Activation::sigmoid, Activation::relu, Activation::elu}) {
    Bench bench(f);
    const auto bp = bench.make("bp", nullptr);
    const std::vector<float> g = bench.gradient(*bp);
    Activations scratch;
    Matrix<float> e(12, 5);
    const auto loss = [&] {
      forward(bench.net, bench.x, scratch);
      return output_error(Loss::cross_entropy, scratch.h.back(), bench.labels, e) / 12;
    };
    const auto signs = [&] {
      std::vector<bool> on;
      for (std::size_t l = 1; l < 3; ++l)
        for (const float h : scratch.h[l].flat()) on.push_back(h > 0);
      return on;
    };
    double bad = 0;
    int compared = 0;
    for (std::size_t i = 0; i < g.size(); i += 3) {
      float& w = bench.net.parameters()[i];
      const float keep = w;
      w = keep + 4e-3f;
      const double up = loss();
      const std::vector<bool> signs_up = signs();
      w = keep - 4e-3f;
      const double down = loss();
      // no derivative inside the step, of elu no second one
      const bool kink = (f == Activation::relu || f == Activation::elu) && signs() != signs_up;
      w = keep;
      if (kink) continue;
      ++compared;
      bad = std::max(bad, std::fabs((up - down) / (double(keep + 4e-3f) - double(keep - 4e-3f)) - double(g[i])));
    }
    INFO(to_string(f));
    CHECK(bad < 1e-4);
    CHECK(compared > 150);
  }
}

TEST_CASE("feedback alignment has an exact last layer and a fixed random path below it") {
  Bench bench;
  const auto fa = bench.make("fa", nullptr), bp = bench.make("bp", nullptr);
  const std::vector<float> g = bench.gradient(*fa), exact = bench.gradient(*bp);
  const auto last = std::ptrdiff_t(bench.net.offset(2));
  CHECK(std::equal(g.begin() + last, g.end(), exact.begin() + last));
  CHECK_FALSE(std::equal(g.begin(), g.begin() + last, exact.begin()));
  // delta_2 = (e B_3) * f' is linear in e: recover B_3 from two batches and see that it did not move
  const Matrix<float> first = [&] {
    Matrix<float> d(12, 17);
    for (Index r = 0; r < 12; ++r) std::ranges::copy(fa->teaching_signal(1).row(r), d.row(r).begin());
    return d;
  }();
  for (float& v : bench.net.parameters()) v *= 1.0f;
  for (float& v : bench.error.flat()) v *= 2.0f;
  bench.gradient(*fa);
  double bad = 0;
  for (Index r = 0; r < 12; ++r)
    for (Index j = 0; j < 17; ++j)
      bad = std::max(bad, std::fabs(double(fa->teaching_signal(1)(r, j) - 2 * first(r, j))));
  CHECK(bad < 1e-6);
}

TEST_CASE("each broadcast rule equals its definition in double precision") {
  Bench bench;
  MatrixFeedback feedback(5, 24);
  for (const char* name : {"dfa", "tdfa", "sdfa", "drtp"}) {
    std::vector<std::vector<double>> s(12, std::vector<double>(5));
    for (Index r = 0; r < 12; ++r)
      for (Index c = 0; c < 5; ++c) {
        const double e = double(bench.error(r, c));
        double& v = s[std::size_t(r)][std::size_t(c)];
        if (name == std::string("dfa")) v = e;
        if (name == std::string("sdfa")) v = e > 0 ? 1 : -1;
        if (name == std::string("tdfa")) v = e > 0.25 ? 1 : e < -0.25 ? -1 : 0;
        if (name == std::string("drtp")) v = bench.labels[std::size_t(r)] == c ? 1 : 0;
      }
    const auto made =
        bench.make(name, &feedback, name == std::string("tdfa") ? Settings{{"dead_zone", 0.25}} : Settings{});
    INFO(name);
    CHECK(worst(bench.gradient(*made), reference(bench, feedback.matrix(), s)) < 2e-6);
  }
}

TEST_CASE("centred signals are those of the definition less their mean over the samples that have one") {
  Bench bench;
  for (Index r = 0; r < 12; ++r)
    if (r % 3 == 1)
      for (float& v : bench.error.row(r)) v *= 0.05f;  // confident samples
  MatrixFeedback feedback(5, 24);
  std::vector<std::vector<double>> s(12, std::vector<double>(5));
  std::vector<double> mean(5);
  for (Index r = 0; r < 12; ++r)
    for (std::size_t c = 0; c < 5; ++c) {
      const double e = double(bench.error(r, Index(c)));
      s[std::size_t(r)][c] = e > 0.2 ? 1 : e < -0.2 ? -1 : 0;
      mean[c] += s[std::size_t(r)][c] / 8;
    }
  for (Index r = 0; r < 12; ++r)
    for (std::size_t c = 0; c < 5 && r % 3 != 1; ++c) s[std::size_t(r)][c] -= mean[c];
  for (const bool skip : {true, false}) {
    const auto made = bench.make("tdfa", &feedback, {{"centre", true}, {"skip_empty", skip}});
    CHECK(worst(bench.gradient(*made), reference(bench, feedback.matrix(), s)) < 2e-6);
  }
  bench.labels.assign(12, 0);  // the same error for all teaches hidden layers nothing
  for (Index r = 0; r < 12; ++r) std::ranges::copy(bench.error.row(0), bench.error.row(r).begin());
  const auto made = bench.make("dfa", &feedback, {{"centre", true}});
  const std::vector<float> g = bench.gradient(*made);
  CHECK(std::all_of(g.begin(), g.begin() + bench.net.offset(2), [](float v) { return std::fabs(v) < 1e-6f; }));
}

TEST_CASE("leaving empty rows out changes the gradient by rounding only, and saves their projections") {
  Bench bench;
  for (Index r = 0; r < 12; ++r)
    if (r % 3 != 0)
      for (float& v : bench.error.row(r)) v *= 0.05f;  // confident samples
  MatrixFeedback feedback(5, 24);
  const auto lean = bench.make("tdfa", &feedback);
  const std::vector<float> a = bench.gradient(*lean);
  CHECK(feedback.rows_projected == 4);
  CHECK(std::ranges::equal(lean->active_rows(), std::vector<Index>{0, 3, 6, 9}));
  CHECK(lean->teaching_signal(0).rows() == 4);
  const auto full = bench.make("tdfa", &feedback, {{"skip_empty", false}});
  const std::vector<float> b = bench.gradient(*full);
  CHECK(feedback.rows_projected == 4 + 12);
  CHECK(worst(a, std::vector<double>(b.begin(), b.end())) < 1e-7);
}

TEST_CASE("a batch without any signal has a zero hidden gradient and asks nothing of the feedback") {
  Bench bench;
  for (float& v : bench.error.flat()) v *= 0.01f;
  MatrixFeedback feedback(5, 24);
  const auto made = bench.make("tdfa", &feedback);
  const std::vector<float> g = bench.gradient(*made);
  CHECK(feedback.rows_projected == 0);
  CHECK(std::all_of(g.begin(), g.begin() + bench.net.offset(2), [](float v) { return v == 0; }));
  CHECK(std::any_of(g.begin() + bench.net.offset(2), g.end(), [](float v) { return v != 0; }));
}

TEST_CASE("read-out noise has the stated size, hits empty rows only when they are projected, and resumes") {
  Bench bench;
  for (float& v : bench.error.flat()) v = 0;
  MatrixFeedback feedback(5, 24);
  const auto made = bench.make("tdfa", &feedback, {{"skip_empty", false}, {"noise", 0.5}});
  double squares = 0, n = 0;
  std::vector<std::byte> middle;
  std::vector<float> after;
  for (int step = 0; step < 200; ++step) {
    if (step == 100) middle = made->snapshot();
    const std::vector<float> g = bench.gradient(*made);
    if (step == 100) after = g;
    for (Index r = 0; r < 12; ++r)
      for (Index j = 0; j < 24; ++j) {
        const double unscaled =
            double(made->teaching_signal(0)(r, j)) * std::sqrt(24.0) / derivative(double(bench.activations.h[1](r, j)));
        squares += unscaled * unscaled;
        ++n;
      }
  }
  // E = (0.5 sqrt 2)^2 = 0.5; n = 57 600, seed 1, alpha 1e-4 two-sided on the variance
  CHECK(std::fabs(squares / n / 0.5 - 1) < 3.9 * std::sqrt(2 / n));
  const auto again = bench.make("tdfa", &feedback, {{"skip_empty", false}, {"noise", 0.5}});
  again->restore(middle);
  CHECK(bench.gradient(*again) == after);
  CHECK_THROWS_AS(again->restore({}), InvalidParameter);
}

TEST_CASE("gradients give the same bits with 1 and 2 threads") {
  for (const RuleModel& model : rules()) {
    if (model.info.graph_only) continue;
    std::vector<float> g[2];
    for (int t = 0; t < 2; ++t) {
      set_threads(t + 1);
      Bench bench;
      MatrixFeedback feedback(5, 24);
      const auto made = bench.make(model.info.name, &feedback);
      g[t] = bench.gradient(*made);
    }
    INFO(model.info.name);
    CHECK(g[0] == g[1]);
  }
}

TEST_CASE("no rule asks more of layers and projection than it declares") {
  for (const RuleModel& model : rules()) {
    if (model.info.graph_only) continue;
    Bench bench;
    MatrixFeedback feedback(5, 24);
    const auto made = bench.make(model.info.name, &feedback);
    const StepTouch declared = made->declared(bench.net, 12);
    bench.gradient(*made);
    const StepTouch touched = made->touched();
    INFO(model.info.name);
    CHECK(touched.passes == declared.passes);
    CHECK(touched.projections <= declared.projections);
    CHECK(touched.writes == declared.writes);
    CHECK(touched.projections == (model.info.one_hot ? 0 : feedback.rows_projected));  // whose columns are known
    if (model.info.own_forward) CHECK(declared.passes >= 12 * 3);
  }
}

TEST_CASE("rules draw by step and sample: a call repeated, or made by another object, gives the same bits") {
  for (const RuleModel& model : rules()) {
    if (model.info.graph_only) continue;
    Bench bench;
    MatrixFeedback feedback(5, 24);
    const auto one = bench.make(model.info.name, &feedback), two = bench.make(model.info.name, &feedback);
    bench.gradient(*one, 4);
    two->restore(one->snapshot());
    INFO(model.info.name);
    CHECK(bench.gradient(*one, 7) == bench.gradient(*two, 7));
    CHECK(std::ranges::equal(one->own().gradient, two->own().gradient));
    CHECK(std::ranges::equal(one->own().values, two->own().values));
    CHECK(one->own().values.size() == one->own().gradient.size());
  }
}

TEST_CASE("an answer does not depend on how the samples are cut") {
  for (const RuleModel& model : rules()) {
    if (model.info.graph_only) continue;
    if (!model.info.own_answer) continue;
    Bench bench;
    const auto made = bench.make(model.info.name, nullptr);
    Matrix<float> whole(12, 5), parts(12, 5);
    made->scores(bench.net, bench.x, whole);
    for (Index r = 0; r < 12; r += 4) made->scores(bench.net, bench.x.view().rows(r, 4), parts.view().rows(r, 4));
    INFO(model.info.name);
    CHECK(std::ranges::equal(whole.flat(), parts.flat()));
  }
}

TEST_CASE("layers with noise draw it by the sample's place in the answers of rules too, whatever was trained before") {
  int tried = 0;
  for (const RuleModel& model : rules()) {
    if (model.info.graph_only || !model.info.own_answer) continue;
    Bench bench(Network(parse_model("9 | dense 14, tanh, noise gaussian std=0.5 | dense 12, tanh | dense 5", {})));
    const auto made = bench.make(model.info.name, nullptr);
    bench.gradient(*made, 2);
    Matrix<float> whole(12, 5), parts(12, 5), later(12, 5);
    made->scores(bench.net, bench.x, whole);
    for (Index r = 0; r < 12; r += 4)
      made->scores(bench.net, bench.x.view().rows(r, 4), parts.view().rows(r, 4), static_cast<std::uint64_t>(r));
    made->scores(bench.net, bench.x, later, 12);
    INFO(model.info.name);
    CHECK(std::ranges::equal(whole.flat(), parts.flat()));
    CHECK_FALSE(std::ranges::equal(whole.flat(), later.flat()));
    ++tried;
  }
  CHECK(tried >= 4);
}

TEST_CASE("a broadcast rule without a feedback of its size is refused") {
  Bench bench;
  MatrixFeedback narrow(5, 23);
  CHECK_THROWS_WITH(bench.make("dfa", nullptr), Catch::Contains("missing"));
  CHECK_THROWS_AS(bench.make("dfa", &narrow), InvalidParameter);
  CHECK_THROWS_WITH(bench.make("adfa", nullptr), Catch::Contains("missing"));
  MatrixFeedback small(5, 8);
  CHECK_THROWS_AS(bench.make("pepita", &small), InvalidParameter);
}
