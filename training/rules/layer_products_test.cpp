// Rules whose passes are made elsewhere than in memory.
#include "training/layer_products.hpp"

#include <catch2/catch.hpp>

#include "core/linalg.hpp"
#include "training/rules/bench_for_tests.hpp"

using namespace lightloop;

namespace {

/// Products of the network it holds, made here, times `gain`; counts rows.
class Elsewhere : public LayerProducts {
 public:
  explicit Elsewhere(float gain) : gain_(gain) {}
  void hold(const Network& net) override { held_ = net; }
  void multiply(Index layer, View<const float> x, View<float> y) override {
    gemm(Transpose::no, Transpose::yes, gain_, x, std::as_const(held_).weights(layer), 0.0f, y);
    rows += x.rows();
  }
  Index rows = 0;

 private:
  float gain_;
  Network held_;
};

std::unique_ptr<Rule> make(const RuleModel& model, Bench& bench, Feedback* feedback, LayerProducts* products) {
  const ParamSet params("rule " + model.info.name, model.info.params);
  if (products) products->hold(bench.net);
  return model.make({bench.net, 1, params, feedback, products});
}

}  // namespace

TEST_CASE("every rule with passes of its own makes them where its layers are: exact ones give the same bits") {
  int tried = 0;
  for (const RuleModel& model : rules()) {
    if (!model.info.own_forward || model.info.trials || model.info.graph_only) continue;
    INFO(model.info.name);
    CHECK(model.info.on_layers);
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
