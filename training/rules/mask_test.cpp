// The mask read-out: its loss against the definition, its optimum against every single change.
#include "core/error.hpp"
#include "training/rules/local_loss_for_tests.hpp"

using namespace lightloop;

namespace {

/// Mean cross-entropy of g M h / sqrt(17) + b, with `values` M (5, 17), g, b.
double loss_of(const Bench& bench, std::span<const float> values) {
  return mean(bench, [&](Index r) {
    const Row h = tanh_of(layer(bench.net, 1, tanh_of(layer(bench.net, 0, row_of(bench.x.row(r))))));
    Row logits(5);
    for (std::size_t c = 0; c < 5; ++c) {
      for (std::size_t j = 0; j < 17; ++j) logits[c] += double(values[c * 17 + j]) * h[j];
      logits[c] = double(values[85]) * logits[c] / std::sqrt(17.0) + double(values[86 + c]);
    }
    return cross_entropy(logits, label(bench, r));
  });
}

}  // namespace

TEST_CASE("a mask read-out goes down on a batch until no single change of its mask helps, Boolean or ternary") {
  for (const char* kind : {"boolean", "ternary"}) {
    Bench bench;
    const auto rule = bench.make(
        "mask", nullptr, {{"values", std::string(kind)}, {"flips", std::int64_t{4}}, {"anneal", std::int64_t{20}}});
    const std::span<float> own = rule->own().values;
    REQUIRE(own.size() == 5 * 17 + 1 + 5);
    own[85] = 3;
    for (std::size_t c = 0; c < 5; ++c) own[86 + c] = 0.1f * float(c);
    const int low = kind == std::string("ternary") ? -1 : 0;
    const auto all_allowed = [&] {
      return std::ranges::all_of(own.first(85),
                                 [&](float v) { return v == std::round(v) && v >= float(low) && v <= 1; });
    };
    CHECK(all_allowed());
    double before = loss_of(bench, own);
    const double start = before;
    for (std::uint64_t step = 0; step < 150; ++step) {
      const std::vector<float> g = bench.gradient(*rule, step);
      CHECK(std::ranges::count(g, 0.0f) == std::ptrdiff_t(g.size()));
      const double now = rule->layer_loss()[0];
      CHECK(now <= before + 1e-6);
      before = now;
    }
    INFO(kind);
    CHECK(all_allowed());
    CHECK(before == Approx(loss_of(bench, own)).epsilon(1e-5));
    CHECK(before < 0.7 * start);
    std::vector<float> tried(own.begin(), own.end());
    for (std::size_t i = 0; i < 85; ++i)
      for (int v = low; v <= 1; ++v) {
        tried[i] = float(v);
        CHECK(loss_of(bench, tried) > before - 1e-5);
        tried[i] = own[i];
      }
  }
}

TEST_CASE("gain and offsets of a mask read-out have the gradient of the loss, the mask has none") {
  Bench bench;
  const auto rule = bench.make("mask", nullptr, {{"trials", std::int64_t{3}}});
  bench.gradient(*rule);
  const std::span<const float> values = rule->own().values, g = rule->own().gradient;
  for (std::size_t i = 0; i < 85; ++i) CHECK(g[i] == 0);
  std::vector<float> moved(values.begin(), values.end());
  constexpr float kStep = 1.0f / 64;
  for (std::size_t i = 85; i < 91; ++i) {
    moved[i] = values[i] + kStep;
    const double up = loss_of(bench, moved);
    moved[i] = values[i] - kStep;
    CHECK(double(g[i]) == Approx((up - loss_of(bench, moved)) / (2 * double(kStep))).margin(1e-4));
    moved[i] = values[i];
  }
  CHECK_THROWS_AS(bench.make("mask", nullptr, {{"flips", std::int64_t{50}}}), OutOfRange);
}
