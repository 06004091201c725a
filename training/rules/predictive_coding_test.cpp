// Predictive coding against a slow version sample by sample, and against what it tends to.
#include "training/layers/architecture.hpp"
#include "training/rules/local_loss_for_tests.hpp"

using namespace lightloop;

namespace {

/// Mean gradient of a net 9-24-17-5 of tanh, all in double precision, each sample by itself.
std::vector<double> slow(const Bench& bench, int steps, double rate) {
  const Network& net = bench.net;
  std::vector<double> g(net.parameters().size());
  const auto back = [&](Index l, const Row& delta) {  // W^T delta
    const View<const float> w = net.weights(l);
    Row below(std::size_t(w.cols()));
    for (Index j = 0; j < w.rows(); ++j)
      for (Index i = 0; i < w.cols(); ++i) below[std::size_t(i)] += double(w(j, i)) * delta[std::size_t(j)];
    return below;
  };
  for (Index r = 0; r < bench.x.rows(); ++r) {
    const Row x = row_of(bench.x.row(r));
    Row v1 = tanh_of(layer(net, 0, x)), v2 = tanh_of(layer(net, 1, v1));
    Row p1, p2, d1, d2, e;
    const auto compare = [&] {  // predictions, and dE/da of the three layers
      p1 = tanh_of(layer(net, 0, x));
      p2 = tanh_of(layer(net, 1, v1));
      e = layer(net, 2, v2);
      double sum = 0;
      for (double& a : e) sum += a = std::exp(a);
      for (double& a : e) a /= sum;
      e[label(bench, r)] -= 1;
      d1.assign(24, 0);
      d2.assign(17, 0);
      for (std::size_t j = 0; j < 24; ++j) d1[j] = -(v1[j] - p1[j]) * (1 - p1[j] * p1[j]);
      for (std::size_t j = 0; j < 17; ++j) d2[j] = -(v2[j] - p2[j]) * (1 - p2[j] * p2[j]);
    };
    for (int t = 0; t < steps; ++t) {
      compare();
      const Row from_d2 = back(1, d2), from_e = back(2, e);
      for (std::size_t j = 0; j < 24; ++j) v1[j] -= rate * (v1[j] - p1[j] + from_d2[j]);
      for (std::size_t j = 0; j < 17; ++j) v2[j] -= rate * (v2[j] - p2[j] + from_e[j]);
    }
    compare();
    const Row* const deltas[] = {&d1, &d2, &e};
    const Row* const inputs[] = {&x, &v1, &v2};
    for (Index l = 0; l < 3; ++l) {
      const Row &d = *deltas[l], &in = *inputs[l];
      const auto at = std::size_t(net.offset(l));
      for (std::size_t j = 0; j < d.size(); ++j) {
        for (std::size_t i = 0; i < in.size(); ++i) g[at + j * in.size() + i] += d[j] * in[i] / 12;
        g[at + d.size() * in.size() + j] += d[j] / 12;
      }
    }
  }
  return g;
}

double cosine(std::span<const float> a, std::span<const float> b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += double(a[i]) * double(b[i]);
    aa += double(a[i]) * double(a[i]);
    bb += double(b[i]) * double(b[i]);
  }
  return ab / std::sqrt(aa * bb);
}

}  // namespace

TEST_CASE("predictive coding: settled values and the gradient are those of a slow version, sample by sample") {
  Bench bench;
  for (const std::int64_t steps : {1, 2, 9}) {
    const auto rule = bench.make("predictive_coding", nullptr, {{"steps", steps}, {"rate", 0.2}});
    const std::vector<float> g = bench.gradient(*rule);
    const std::vector<double> wanted = slow(bench, int(steps), 0.2);
    INFO(steps);
    for (std::size_t i = 0; i < g.size(); ++i) CHECK(double(g[i]) == Approx(wanted[i]).margin(1e-6));
    CHECK(rule->touched().passes == 12 * 3 * (steps + 1));
  }
}

TEST_CASE("predictive coding: one step reaches the last hidden layer, whose first move is that of back-propagation") {
  // the values differ from the predictions by -rate W^T e alone: a signal of the size of the rate, in BP's direction
  Bench bench;
  const auto bp = bench.make("bp", nullptr),
             rule = bench.make("predictive_coding", nullptr, {{"steps", std::int64_t{1}}, {"rate", 0.1}});
  const std::vector<float> exact = bench.gradient(*bp), found = bench.gradient(*rule);
  const auto first = std::size_t(bench.net.offset(1)), last = std::size_t(bench.net.offset(2));
  for (std::size_t i = 0; i < first; ++i) CHECK(found[i] == 0);
  for (std::size_t i = first; i < last; ++i) CHECK(double(found[i]) == Approx(0.1 * double(exact[i])).margin(1e-6));
  // two small steps: the first layer has met -rate times what the second has, to first order in the rate
  constexpr double kRate = 0.02;
  const auto two = bench.make("predictive_coding", nullptr, {{"steps", std::int64_t{2}}, {"rate", kRate}});
  const std::vector<float> small = bench.gradient(*two);
  const auto of_first = std::span(small).first(first), wanted = std::span(exact).first(first);
  CHECK(cosine(of_first, wanted) > 0.99);
  double size = 0, exact_size = 0;
  for (std::size_t i = 0; i < first; ++i) {
    size += double(of_first[i]) * double(of_first[i]);
    exact_size += double(wanted[i]) * double(wanted[i]);
  }
  CHECK(std::sqrt(size / exact_size) == Approx(kRate * kRate).epsilon(0.1));
}

TEST_CASE("predictive coding trains nets of any layers like fully connected ones") {
  Bench dense;
  const auto model = [] { return Network(parse_model("9 | dense 24, tanh | dense 17, tanh | dense 5", {})); };
  Bench any(model());
  std::ranges::copy(std::as_const(dense.net).parameters(), any.net.parameters().begin());
  const auto a = dense.make("predictive_coding", nullptr), b = any.make("predictive_coding", nullptr);
  const std::vector<float> g = dense.gradient(*a), same = any.gradient(*b);
  REQUIRE(g.size() == same.size());
  for (std::size_t i = 0; i < g.size(); ++i) CHECK(g[i] == Approx(same[i]).margin(1e-6));
}
