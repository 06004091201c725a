#pragma once
// Slow double-precision pieces of local losses, and gradients against central differences of the losses a rule reports.
#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>

#include "training/rules/bench_for_tests.hpp"

namespace lightloop {

using Row = std::vector<double>;

inline Row row_of(std::span<const float> v) { return {v.begin(), v.end()}; }

/// W x + b with W (outputs, inputs) and b stored one after the other, as Network and OwnLayers do.
inline Row affine(std::span<const float> p, const Row& x, std::size_t outputs) {
  Row y(outputs);
  for (std::size_t j = 0; j < outputs; ++j) {
    y[j] = double(p[outputs * x.size() + j]);
    for (std::size_t i = 0; i < x.size(); ++i) y[j] += double(p[j * x.size() + i]) * x[i];
  }
  return y;
}

inline Row layer(const Network& net, Index l, const Row& x) {
  return affine(net.parameters().subspan(std::size_t(net.offset(l))), x, std::size_t(net.weights(l).rows()));
}

inline Row tanh_of(Row x) {
  for (double& v : x) v = std::tanh(v);
  return x;
}

inline double squares(const Row& x) {
  double s = 0;
  for (const double v : x) s += v * v;
  return s;
}

inline Row normalised(Row x) {
  const double rms = std::sqrt(squares(x) / double(x.size()));
  for (double& v : x) v /= rms;
  return x;
}

inline double cross_entropy(const Row& logits, std::size_t label) {
  double sum = 0;
  for (const double v : logits) sum += std::exp(v);
  return std::log(sum) - logits[label];
}

/// Mean over the batch of what `loss` says of one sample (row number).
inline double mean(const Bench& bench, const std::function<double(Index)>& loss) {
  double sum = 0;
  for (Index r = 0; r < bench.x.rows(); ++r) sum += loss(r);
  return sum / double(bench.x.rows());
}

inline std::size_t label(const Bench& bench, Index r) { return bench.labels[std::size_t(r)]; }

inline std::vector<double> losses(Bench& bench, Rule& rule) {
  forward(bench.net, bench.x, bench.activations);
  output_error(Loss::cross_entropy, bench.activations.h.back(), bench.labels, bench.error);
  bench.gradient(rule);
  return {rule.layer_loss().begin(), rule.layer_loss().end()};
}

/// Largest difference between `gradient` and `factor` times central differences of `of(losses)`, every third parameter,
/// relative to the largest gradient.
inline double worst(Bench& bench, Rule& rule, std::span<float> values, std::span<const float> gradient,
                    const std::function<double(const std::vector<double>&)>& of, double factor = 1) {
  double bad = 0, largest = 0;
  const std::vector<float> g(gradient.begin(), gradient.end());  // the calls below write it anew
  for (std::size_t i = 0; i < values.size(); i += 3) {
    const float keep = values[i];
    const float up = keep + 4e-3f, down = keep - 4e-3f;
    values[i] = up;
    const double above = of(losses(bench, rule));
    values[i] = down;
    const double below = of(losses(bench, rule));
    values[i] = keep;
    const double slope = factor * (above - below) / (double(up) - double(down));
    bad = std::max(bad, std::fabs(slope - double(g[i])));
    largest = std::max(largest, std::fabs(double(g[i])));
  }
  return bad / largest;
}

inline std::function<double(const std::vector<double>&)> only(std::size_t i) {
  return [i](const std::vector<double>& losses) { return losses[i]; };
}

inline double sum(const std::vector<double>& losses) {
  double total = 0;
  for (const double v : losses) total += v;
  return total;
}

/// Every layer of the net against loss number `index(layer)`.
inline void check_net(Bench& bench, Rule& rule, const std::function<std::size_t(Index)>& index, double factor = 1) {
  losses(bench, rule);
  const std::vector<float> g = bench.gradient(rule);
  for (Index l = 0; l < bench.net.layers(); ++l) {
    const auto begin = std::size_t(bench.net.offset(l));
    const auto count = std::size_t(bench.net.weights(l).size() + bench.net.weights(l).rows());
    INFO("layer " << l);
    CHECK(worst(bench, rule, bench.net.parameters().subspan(begin, count), std::span(g).subspan(begin, count),
                only(index(l)), factor) < 3e-3);
  }
}

inline void check_own(Bench& bench, Rule& rule) {
  losses(bench, rule);
  CHECK(worst(bench, rule, rule.own().values, rule.own().gradient, sum) < 3e-3);
}

inline std::size_t same(Index l) { return std::size_t(l); }

inline constexpr double kNear = 2e-5;  // single against double precision

}  // namespace lightloop
