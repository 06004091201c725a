// Rules that know losses alone: any layers, any targets.
#include <catch2/catch.hpp>
#include <cmath>

#include "core/random.hpp"
#include "training/layers/architecture.hpp"
#include "training/rules/rule.hpp"

using namespace lightloop;

namespace {

/// Six samples for a net; `each` labels of a sample (its tokens), or real targets.
struct Batch {
  Batch(const std::string& text, const ModelContext& context, Loss loss_, bool real, bool half)
      : net(parse_model(text, context)), x(6, net.widths().front()), each(net.tokens()), loss(loss_) {
    net.initialise(3);
    activations.h.resize(1);
    for (Index r = 0; r < 6; ++r) {
      if (each > 1)
        for (Index t = 0; t < each; ++t) x(r, t) = float((r + t * t) % 7);
      else
        Stream(5, 1, Purpose::user).normal(std::uint64_t(r), 0, x.row(r));
      for (Index t = 0; t < each; ++t) labels.push_back(std::uint8_t((r + 2 * t) % net.classes()));
      if (half) counts.push_back(r % 2 == 0);
    }
    activations.h[0] = x;
    if (!real) return;
    values.resize(6, net.widths().back());
    Stream(5, 2, Purpose::user).normal(0, 0, values.flat());
  }
  RuleBatch shown(std::uint64_t step = 0) const {
    return {.activations = activations,
            .error = {},
            .labels = labels,
            .loss = loss,
            .step = step,
            .counts = counts,
            .values = values};
  }
  /// Mean loss with the parameters moved by `size` along `direction`: in double, label by label.
  double loss_at(const std::vector<float>& direction, double size) const {
    Network moved = net;
    for (std::size_t i = 0; i < direction.size(); ++i)
      moved.parameters()[i] += float(size * (direction[i] > 0 ? 1 : -1));
    Activations out;
    forward(moved, x, out);
    double sum = 0, n = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (!counts.empty() && !counts[i]) continue;
      const auto classes = std::size_t(net.classes());
      const float* const a = out.h.back().data() + i * classes;
      double all = 0;
      for (std::size_t c = 0; c < classes; ++c) {
        const double target = values.size() ? double(values.data()[i * classes + c]) : c == labels[i] ? 1.0 : 0.0;
        all += loss == Loss::mse ? 0.5 * std::pow(double(a[c]) - target, 2) : std::exp(double(a[c]));
      }
      sum += loss == Loss::mse ? all : std::log(all) - double(a[labels[i]]);
      ++n;
    }
    return sum / n;
  }
  Network net;
  Matrix<float> x, values;
  std::vector<std::uint8_t> labels, counts;
  Index each;
  Loss loss;
  Activations activations;
};

std::unique_ptr<Rule> make(const std::string& name, const Network& net, const Settings& settings) {
  ParamSet params("rule " + name, rule(name).info.params);
  params.set(settings);
  return rule(name).make({net, 1, params, nullptr});
}

const ModelContext kImages{.input = {6, 6, 2}, .classes = 5}, kTokens{.input = {4}, .classes = 5, .targets = 4};

}  // namespace

TEST_CASE("SPSA's slope is the difference of two losses of any layers and targets, as scalar code finds them") {
  const Batch batch =
      GENERATE(Batch("conv 4 3, tanh | max_pool 2, flatten, dense classes", kImages, Loss::cross_entropy, false, false),
               Batch("conv 2 3, batch_norm, relu | flatten, dense classes", kImages, Loss::mse, false, true),
               Batch("residual(conv 2 3), tanh | flatten, dense classes", kImages, Loss::mse, true, false),
               Batch("embedding 7 8 | attention 2 | dense classes", kTokens, Loss::cross_entropy, false, false));
  INFO(batch.net.text());
  const auto spsa = make("spsa", batch.net, {{"c", 0.01}, {"gamma", 0.0}});
  std::vector<float> g(batch.net.parameters().size());
  spsa->gradient(batch.net, batch.shown(), g);
  for (const float v : g) REQUIRE(std::fabs(v) == std::fabs(g[0]));  // one slope along +-1
  const double up = batch.loss_at(g, 0.01), down = batch.loss_at(g, -0.01);
  CHECK(double(std::fabs(g[0])) == Approx((up - down) / 0.02).epsilon(1e-3).margin(1e-4));
  const double counted = batch.counts.empty() ? double(batch.labels.size()) : 3;
  CHECK(spsa->loss() == Approx(0.5 * (up + down) * counted).epsilon(1e-5));
  CHECK(spsa->touched() == spsa->declared(batch.net, 6));
}

TEST_CASE("PEPG averages to the gradient of back-propagation through a convolution") {
  const Batch batch("conv 2 3 stride=2, tanh | flatten, dense classes", kImages, Loss::mse, true, false);
  std::vector<float> exact(batch.net.parameters().size()), g(exact.size());
  Activations seen;
  forward(batch.net, batch.x, seen, {.training = true});
  Matrix<float> error(6, 5);
  value_error(seen.h.back(), batch.values, error);
  rule("bp").make({batch.net, 1, {}, nullptr})->gradient(batch.net, {seen, error, batch.labels, Loss::mse}, exact);
  const auto pepg = make("pepg", batch.net, {{"pairs", std::int64_t{4}}, {"sigma", 0.01}});
  double norm = 0, sum = 0, squares = 0;
  for (const float v : exact) norm += double(v) * double(v);
  constexpr int kSteps = 2000;
  for (int step = 0; step < kSteps; ++step) {
    pepg->gradient(batch.net, batch.shown(std::uint64_t(step)), g);
    double along = 0;
    for (std::size_t i = 0; i < g.size(); ++i) along += double(g[i]) * double(exact[i]) / norm;
    sum += along / kSteps;
    squares += along * along / kSteps;
  }
  // Null: the mean is 1; two-sided, alpha 1e-4, seed 1
  CHECK(std::fabs(sum - 1) < 3.9 * std::sqrt((squares - sum * sum) / kSteps));
}
