// Rules whose passes are made elsewhere than in memory.
#include "training/layer_products.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "training/analog.hpp"
#include "training/layers/architecture.hpp"
#include "training/layers/graph.hpp"
#include "training/rules/bench_for_tests.hpp"

using namespace lightloop;

namespace {

/// Products of the network it holds, a model or not, made here, times `gain`; counts rows.
class Elsewhere : public LayerProducts {
 public:
  explicit Elsewhere(float gain) : gain_(gain) {}
  void hold(const Network& net) override { held_ = net; }
  void multiply(Index layer, View<const float> x, View<float> y) override {
    rows += x.rows();
    if (!held_.model())
      return gemm(Transpose::no, Transpose::yes, gain_, x, std::as_const(held_).weights(layer), 0.0f, y);
    for (const WeightMatrix& one : held_.model()->products())
      if (one.number == layer) gemm(Transpose::no, Transpose::yes, gain_, x, matrix_of(held_, one, made_), 0.0f, y);
  }
  Index rows = 0;

 private:
  float gain_;
  Network held_;
  Matrix<float> made_;
};

std::unique_ptr<Rule> make(const RuleModel& model, Bench& bench, Feedback* feedback, LayerProducts* products) {
  const ParamSet params("rule " + model.info.name, model.info.params);
  if (products) products->hold(bench.net);
  return model.make({bench.net, 1, params, feedback, products});
}

}  // namespace

TEST_CASE("every rule whose passes may run on devices makes them where its layers are: exact ones give the same bits") {
  int tried = 0;
  for (const RuleModel& model : rules()) {
    if (!model.info.own_forward || !model.info.on_layers || model.info.trials || model.info.graph_only) continue;
    INFO(model.info.name);
    Bench bench;
    MatrixFeedback feedback(5, 24);
    Elsewhere exact(1), off(1.5f);
    const auto here = make(model, bench, &feedback, nullptr), there = make(model, bench, &feedback, &exact),
               wrong = make(model, bench, &feedback, &off);
    const std::vector<float> g = bench.gradient(*here);
    CHECK(bench.gradient(*there) == g);
    CHECK(there->loss() == here->loss());
    CHECK(exact.rows > 12 * 1);
    CHECK(exact.rows <= there->touched().passes);
    if (!model.info.keeps_net) CHECK(bench.gradient(*wrong) != g);
    if (model.info.own_answer) {
      Matrix<float> a(12, 5), b(12, 5), c(12, 5);
      here->scores(bench.net, bench.x, a);
      there->scores(bench.net, bench.x, b);
      wrong->scores(bench.net, bench.x, c);
      CHECK(std::ranges::equal(a.flat(), b.flat()));
      CHECK_FALSE(std::ranges::equal(a.flat(), c.flat()));
    }
    ++tried;
  }
  CHECK(tried >= 12);
}

TEST_CASE("ForwardGNN makes its products where its layers are, class nodes among the others") {
  std::vector<std::pair<std::int32_t, std::int32_t>> ring;
  for (std::int32_t i = 0; i < 12; ++i) ring.emplace_back(i, (i + 1) % 12);
  Bench bench(Network(
      parse_model("gcn 8, tanh | gcn classes",
                  {.input = {9}, .classes = 5, .graph = std::make_shared<const Graph>(undirected_graph(12, ring))})));
  Elsewhere exact(1), off(1.5f);
  const RuleModel& model = rule("forwardgnn");
  const auto here = make(model, bench, nullptr, nullptr), there = make(model, bench, nullptr, &exact),
             wrong = make(model, bench, nullptr, &off);
  const std::vector<float> g = bench.gradient(*here), same = bench.gradient(*there), other = bench.gradient(*wrong);
  double worst = 0;  // in memory zeros are skipped, which sums in another order
  for (std::size_t i = 0; i < g.size(); ++i) worst = std::max(worst, std::fabs(double(g[i] - same[i])));
  CHECK(worst < 1e-6);
  CHECK(other != same);
  CHECK(exact.rows == there->touched().passes);
  const Index trained = exact.rows;
  Matrix<float> a(12, 5), b(12, 5);
  here->scores(bench.net, bench.x, a);
  there->scores(bench.net, bench.x, b);
  for (Index r = 0; r < 12; ++r)
    for (Index c = 0; c < 5; ++c) CHECK(a(r, c) == Approx(b(r, c)).margin(1e-6));
  CHECK(exact.rows - trained <= 2 * 12 * there->answer_touch(bench.net).vectors);
}

TEST_CASE("weights of a model behind ranges of inputs learn from what they see, by differences") {
  /// Cuts off inputs beyond 0.43: hardly an activity crosses it within a step of the differences.
  class Narrow : public Elsewhere {
   public:
    Narrow() : Elsewhere(1) {}
    void multiply(Index layer, View<const float> x, View<float> y) override {
      clips(layer, x, seen_);
      Elsewhere::multiply(layer, seen_, y);
    }
    bool clips(Index, View<const float> x, Matrix<float>& seen) override {
      seen.resize(x.rows(), x.cols());
      for (Index r = 0; r < x.rows(); ++r)
        for (Index j = 0; j < x.cols(); ++j) seen(r, j) = std::clamp(x(r, j), -0.43f, 0.43f);
      return true;
    }

   private:
    Matrix<float> seen_;
  };
  for (const char* text :
       {"flatten, dense 7, tanh, dense classes", "conv 3 2, tanh, conv 2 1, tanh | flatten, dense classes",
        "conv 4 2, tanh, depthwise 2 stride=1, tanh, conv 6 2 groups=2 pad=0, tanh | flatten, dense classes",
        "conv 4 3x1, tanh, depthwise 1x3, tanh, conv 6 2x1 groups=2 pad=1x0 stride=1x2, tanh | flatten, dense "
        "classes"}) {
    INFO(text);
    Bench bench(Network(parse_model(text, {.input = {3, 3, 1}, .classes = 5})));
    Narrow narrow;
    const auto loss = [&] {
      narrow.hold(bench.net);
      forward(bench.net, bench.x, bench.activations, {.products = &narrow});
      return output_error(Loss::cross_entropy, bench.activations.h.back(), bench.labels, bench.error) / 12;
    };
    loss();
    const std::vector<float> g = bench.gradient(*bench.make("bp", nullptr));
    double apart = 0, size = 0;
    for (std::size_t i = 0; i < g.size(); ++i) {
      float& w = bench.net.parameters()[i];
      const float before = w;
      w = before + 3e-4f;
      const double up = loss();
      w = before - 3e-4f;
      const double slope = (up - loss()) / 6e-4;
      w = before;
      apart += std::pow(slope - double(g[i]), 2);
      size += slope * slope;
    }
    CHECK(std::sqrt(apart / size) < 0.02);
  }
}

TEST_CASE("weights behind words are held elsewhere without noise and chance, and learn by the words' derivatives") {
  const char* const levels =
      "8x8x1 | weights(conv 4 3 pad=1; clamp, precision 6), tanh | flatten, "
      "weights(dense 7, tanh; norm inf, precision 4), weights(dense 5; sign)";
  const char* const noisy =
      "8x8x1 | weights(conv 4 3 pad=1; clamp, precision 6 stochastic, noise gaussian std=0.3), tanh | flatten, "
      "weights(dense 7, tanh; norm inf, dropout 0.5, precision 4, noise poisson scale=4 precision=4), "
      "weights(dense 5; sign, noise laplacian std=0.2)";
  Bench still(Network(parse_model(levels, {}))), moving(Network(parse_model(noisy, {})));
  std::ranges::copy(still.net.parameters(), moving.net.parameters().begin());
  Elsewhere exact(1);
  for (const char* name : {"local", "forward_gradient", "node_perturbation"}) {
    INFO(name);
    const std::vector<float> g = still.gradient(*make(rule(name), still, nullptr, nullptr));
    CHECK(moving.gradient(*make(rule(name), moving, nullptr, &exact)) == g);
    CHECK(moving.gradient(*make(rule(name), moving, nullptr, nullptr)) != g);  // in memory noise is drawn
  }
  const auto bp = [](Bench& bench, LayerProducts* products) {
    if (products) products->hold(bench.net);
    forward(bench.net, bench.x, bench.activations, {.training = true, .seed = 3, .products = products});
    output_error(Loss::cross_entropy, bench.activations.h.back(), bench.labels, bench.error);
    return bench.gradient(*bench.make("bp", nullptr));
  };
  CHECK(bp(moving, &exact) == bp(still, nullptr));
  // what the matrices have of the parameters, by hand
  const std::vector<WeightMatrix> all = moving.net.model()->products();
  REQUIRE(all.size() == 3);
  Matrix<float> made;
  const auto value = [&](std::size_t l, Index i) { return double(matrix_of(moving.net, all[l], made).data()[i]); };
  const auto parameter = [&](std::size_t l, Index i) {
    return double(std::as_const(moving.net).parameters()[static_cast<std::size_t>(all[l].offset + i)]);
  };
  double largest = 0;
  for (Index i = 0; i < 7 * 256; ++i) largest = std::max(largest, std::fabs(parameter(1, i)));
  for (Index i = 0; i < 36; ++i) {
    CHECK(std::fabs(value(0, i) - std::clamp(parameter(0, i), -1.0, 1.0)) <= 0.5 / 6 + 1e-6);
    CHECK(std::fmod(std::fabs(value(0, i)) * 6 + 1e-4, 1.0) < 1e-3);
    CHECK(std::fabs(value(1, i) - parameter(1, i) / largest) <= 0.5 / 4 + 1e-6);
    CHECK(value(2, i % 35) == (parameter(2, i % 35) < 0 ? -1 : 1));
  }
}

TEST_CASE("noise words of signals act elsewhere too, unless the place leaves them out") {
  class Quiet : public Elsewhere {
   public:
    Quiet() : Elsewhere(1) {}
    bool leaves_out_noise() const override { return true; }
  };
  const auto answer = [](const char* text, LayerProducts* place) {
    Bench bench(Network(parse_model(text, {.input = {9}, .classes = 5})));
    Stream(6, 0, Purpose::user).normal(0, 0, bench.net.parameters());
    if (place) place->hold(bench.net);
    forward(bench.net, bench.x, bench.activations, {.products = place});
    return bench.activations.h.back();
  };
  const char* const noisy = "dense 8, noise gaussian std=0.5, precision 4 stochastic | dense classes";
  Elsewhere exact(1);
  Quiet quiet;
  const Matrix<float> here = answer(noisy, nullptr), there = answer(noisy, &exact), without = answer(noisy, &quiet),
                      written = answer("dense 8, precision 4 | dense classes", nullptr);
  CHECK(std::ranges::equal(here.flat(), there.flat()));
  CHECK_FALSE(std::ranges::equal(without.flat(), here.flat()));
  CHECK(std::ranges::equal(without.flat(), written.flat()));
}

TEST_CASE("passes are made again only where layers repeat themselves: there the same bits, elsewhere refused") {
  /// As a device: what is asked again is another answer.
  class Restless : public Elsewhere {
   public:
    Restless() : Elsewhere(1) {}
    bool repeats() const override { return false; }
  };
  for (const char* name : {"ff", "pepita", "node_perturbation", "forward_gradient", "reinforce"}) {
    INFO(name);
    const RuleModel& model = rule(name);
    Bench bench;
    MatrixFeedback feedback(5, 9);
    Elsewhere exact(1);
    Restless restless;
    exact.hold(bench.net);
    restless.hold(bench.net);
    ParamSet kept("rule " + model.info.name, model.info.params), lean = kept;
    lean.set({{"recompute", true}});
    const auto once = model.make({bench.net, 1, kept, &feedback, &exact}),
               again = model.make({bench.net, 1, lean, &feedback, &exact});
    CHECK(bench.gradient(*once) == bench.gradient(*again));
    CHECK_NOTHROW(model.make({bench.net, 1, kept, &feedback, &restless}));
    CHECK_THROWS_WITH(model.make({bench.net, 1, lean, &feedback, &restless}), Catch::Contains("rule.recompute"));
  }
}

TEST_CASE("PEPITA's small change gets lost in the rounding of whole inputs, and not where it is shown alone") {
  /// Inputs of 8 bits, the largest of a row at full drive, as devices are driven.
  class Coarse : public Elsewhere {
   public:
    Coarse() : Elsewhere(1) {}
    bool repeats() const override { return false; }
    void multiply(Index layer, View<const float> x, View<float> y) override {
      rounded_.resize(x.rows(), x.cols());
      for (Index r = 0; r < x.rows(); ++r) {
        float most = 1e-30f;
        for (const float v : x.row(r)) most = std::max(most, std::abs(v));
        for (Index i = 0; i < x.cols(); ++i) rounded_(r, i) = std::rint(x(r, i) / most * 127) / 127 * most;
      }
      Elsewhere::multiply(layer, rounded_, y);
    }

   private:
    Matrix<float> rounded_;
  };
  const auto error = [](const char* shows, double dropout) {
    Bench bench(Network({9, 24, 17, 20, 14, 5}, Activation::tanh));
    MatrixFeedback feedback(5, 9);
    const RuleModel& model = rule("pepita");
    ParamSet params("rule pepita", model.info.params);
    params.set({{"shows", std::string(shows)}, {"dropout", dropout}});
    Coarse coarse;
    coarse.hold(bench.net);
    const auto there = model.make({bench.net, 1, params, &feedback, &coarse});
    ParamSet plain("rule pepita", model.info.params);
    plain.set({{"dropout", dropout}});
    const auto here = model.make({bench.net, 1, plain, &feedback, nullptr});
    const std::vector<float> wanted = bench.gradient(*here), found = bench.gradient(*there);
    double apart = 0, size = 0;  // of what the hidden layers learn
    for (Index i = 0; i < bench.net.offset(4); ++i) {
      const auto n = static_cast<std::size_t>(i);
      apart += std::pow(static_cast<double>(found[n] - wanted[n]), 2);
      size += std::pow(static_cast<double>(wanted[n]), 2);
    }
    return std::sqrt(apart / size);
  };
  for (const double dropout : {0.0, 0.1}) {
    const double input = error("input", dropout), change = error("change", dropout);
    INFO(dropout << ": " << input << " and " << change);
    CHECK(input > 5 * change);
    CHECK(change < 0.02);  // rounding is 0.3 % of a full drive, rms
    CHECK(error("auto", dropout) == change);
  }
}

TEST_CASE("blocks of any layers make their products elsewhere too: dense ones, convolutions, residuals, shortcuts") {
  const char* const text =
      "8x8x1 | conv 4 3, batch_norm, relu | residual(conv 6 3 stride=2, tanh; conv 6 1 stride=2 pad=0), dropout 0.2 | "
      "flatten, dense 12, tanh | dense 5";
  for (const char* name : {"local", "sff", "lls", "ccl", "auglocal", "noprop", "predictive_coding", "ridge", "mask",
                           "forward_gradient", "node_perturbation"}) {
    INFO(name);
    Bench bench(Network(parse_model(text, {})));
    Elsewhere exact(1), off(1.5f);
    const auto here = make(rule(name), bench, nullptr, nullptr), there = make(rule(name), bench, nullptr, &exact),
               wrong = make(rule(name), bench, nullptr, &off);
    const std::vector<float> g = bench.gradient(*here);
    CHECK(bench.gradient(*there) == g);
    CHECK(there->loss() == here->loss());
    CHECK(exact.rows > 12 * 64);
    bench.gradient(*wrong);
    if (name != std::string("ridge")) CHECK(wrong->loss() != here->loss());  // its first answer is 0 whatever it saw
  }
  const auto products = [](const char* net) { return parse_model(net, {})->products(); };
  const std::vector<WeightMatrix> all = products(text);
  REQUIRE(all.size() == 5);
  CHECK((all[0].outputs == 4 && all[0].inputs == 9 && all[0].positions == 64 && all[0].offset == 0));
  CHECK((all[2].outputs == 6 && all[2].inputs == 4 && all[2].positions == 16));
  CHECK((all[4].outputs == 5 && all[4].inputs == 12 && all[4].positions == 1));
  const std::vector<WeightMatrix> tokens = products("4 | embedding 5 8, attention 2 causal, last_token, dense 5");
  REQUIRE(tokens.size() == 3);  // queries, keys and values; what joins the heads; the answer
  CHECK((tokens[0].outputs == 24 && tokens[0].inputs == 8 && tokens[0].positions == 4));
  CHECK((tokens[1].outputs == 8 && tokens[1].number != tokens[0].number));
  CHECK(tokens[1].offset == tokens[0].offset + 24 * 8 + 24);
  const std::vector<WeightMatrix> groups = products("8x8x4 | conv 6 3 groups=2, tanh | depthwise 3, flatten, dense 5");
  REQUIRE(groups.size() == 2 + 6 + 1);
  CHECK((groups[1].outputs == 3 && groups[1].inputs == 18 && groups[1].offset == 54 && groups[1].part == 1));
  CHECK((groups[7].outputs == 1 && groups[7].inputs == 9 && groups[7].positions == 64 && groups[7].part == 5));
  CHECK(layers_of(groups) == std::vector<Index>{0, 0, 1, 1, 1, 1, 1, 1, 2});
}
