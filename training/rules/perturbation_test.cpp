// Estimates of the gradient: bias and variance against theory, two-sided. Each test draws with seed 1 and would fail
// for a right rule with probability 1e-4 (|z| < 3.9).
#include <algorithm>
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "training/rules/bench_for_tests.hpp"

using namespace lightloop;

namespace {

constexpr double kZ = 3.9;

double inner(std::span<const float> a, std::span<const float> b) {
  double s = 0;
  for (std::size_t i = 0; i < a.size(); ++i) s += double(a[i]) * double(b[i]);
  return s;
}

/// Mean and standard error.
struct Mean {
  double sum = 0, squares = 0, n = 0;
  void add(double v) {
    sum += v;
    squares += v * v;
    ++n;
  }
  double mean() const { return sum / n; }
  double error() const { return std::sqrt(std::max(0.0, squares / n - mean() * mean()) / n); }
  double z(double expected) const { return (mean() - expected) / error(); }
};

/// The exact teaching signals.
std::vector<Matrix<float>> exact_signals(Bench& bench) {
  const auto bp = bench.make("bp", nullptr);
  bench.gradient(*bp);
  std::vector<Matrix<float>> all;
  for (Index l = 0; l < 2; ++l) {
    Matrix<float>& copy = all.emplace_back(12, bench.net.weights(l).rows());
    for (Index r = 0; r < 12; ++r) std::ranges::copy(bp->teaching_signal(l).row(r), copy.row(r).begin());
  }
  return all;
}

}  // namespace

TEST_CASE("forward gradient with noise is unbiased, with the variance of its law") {
  for (const char* law : {"gaussian", "rademacher"}) {
    Bench bench;
    const auto exact = exact_signals(bench);
    const auto rule = bench.make("forward_gradient", nullptr, {{"guess", law}});
    Mean along[2], square[2];
    for (std::uint64_t step = 0; step < 400; ++step) {
      bench.gradient(*rule, step);
      for (Index l = 0; l < 2; ++l)
        for (Index r = 0; r < 12; ++r) {
          const auto t = exact[std::size_t(l)].row(r);
          const double norm = inner(t, t);
          along[l].add(inner(rule->teaching_signal(l).row(r), t) / norm);
          square[l].add(inner(rule->teaching_signal(l).row(r), rule->teaching_signal(l).row(r)) / norm);
        }
    }
    INFO(law);
    for (Index l = 0; l < 2; ++l) {
      const double width = double(bench.net.weights(l).rows());
      CHECK(std::fabs(along[l].z(1)) < kZ);
      // E |<t, u> u|^2 / |t|^2 = d + 2 for normal u, d for +-1
      CHECK(std::fabs(square[l].z(law == std::string("gaussian") ? width + 2 : width)) < kZ);
    }
  }
}

TEST_CASE("forward gradient of weights is unbiased, with the variance of its law") {
  Bench bench;
  const auto bp = bench.make("bp", nullptr),
             rule = bench.make("forward_gradient", nullptr, {{"space", "weights"}, {"guess", "gaussian"}});
  const std::vector<float> exact = bench.gradient(*bp);
  const double norm = inner(exact, exact);
  Mean along, square;
  for (std::uint64_t step = 0; step < 3000; ++step) {
    const std::vector<float> g = bench.gradient(*rule, step);
    along.add(inner(g, exact) / norm);
    square.add(inner(g, g) / norm);
  }
  CHECK(std::fabs(along.z(1)) < kZ);
  CHECK(std::fabs(square.z(double(exact.size()) + 2)) < kZ);
}

TEST_CASE(
    "a local guess gives the projection of the true signal on the local one, a local target the local one itself") {
  Bench bench;
  const auto exact = exact_signals(bench);
  const auto heads = bench.make("local", nullptr);
  bench.gradient(*heads);
  const auto guess = bench.make("forward_gradient", nullptr),
             same = bench.make("forward_gradient", nullptr, {{"target", "local"}});
  bench.gradient(*guess);
  bench.gradient(*same);
  for (Index l = 0; l < 2; ++l)
    for (Index r = 0; r < 12; ++r) {
      const auto u = heads->teaching_signal(l).row(r);
      const double share = inner(exact[std::size_t(l)].row(r), u) / inner(u, u);
      for (std::size_t j = 0; j < u.size(); ++j) {
        CHECK(double(guess->teaching_signal(l).row(r)[j]) == Approx(share * double(u[j])).margin(1e-6));
        CHECK(same->teaching_signal(l).row(r)[j] == Approx(u[j]).margin(1e-6));
      }
    }
  CHECK(std::ranges::equal(guess->own().gradient, heads->own().gradient));
}

TEST_CASE("noise against a local target averages to the local signal, and ntk guesses lie in the span of the head") {
  Bench bench;
  const auto heads = bench.make("local", nullptr);
  bench.gradient(*heads);
  const auto noise = bench.make("forward_gradient", nullptr, {{"target", "local"}, {"guess", "gaussian"}}),
             ntk = bench.make("forward_gradient", nullptr, {{"guess", "ntk"}});
  Mean along;
  for (std::uint64_t step = 0; step < 300; ++step) {
    bench.gradient(*noise, step);
    for (Index r = 0; r < 12; ++r) {
      const auto u = heads->teaching_signal(0).row(r);
      along.add(inner(noise->teaching_signal(0).row(r), u) / inner(u, u));
    }
  }
  CHECK(std::fabs(along.z(1)) < kZ);
  // delta / f' is a combination of the C rows of the head: C + 1 signals of one sample are linearly dependent
  std::vector<std::vector<double>> basis;
  double left = 0, whole = 0;
  for (std::uint64_t step = 0; step < 6; ++step) {
    bench.gradient(*ntk, step);
    const auto d = ntk->teaching_signal(0).row(3);
    std::vector<double> v(d.begin(), d.end());
    whole = inner(d, d);
    for (const auto& b : basis) {
      double c = 0;
      for (std::size_t j = 0; j < v.size(); ++j) c += v[j] * b[j];
      for (std::size_t j = 0; j < v.size(); ++j) v[j] -= c * b[j];
    }
    left = 0;
    for (const double x : v) left += x * x;
    for (double& x : v) x /= std::sqrt(left);
    basis.push_back(v);
  }
  CHECK(left < 1e-6 * whole);
}

TEST_CASE("forward gradient refuses guesses of weights, and several directions of one local gradient") {
  Bench bench;
  CHECK_THROWS_AS(bench.make("forward_gradient", nullptr, {{"space", "weights"}}), Unsupported);
  CHECK_THROWS_AS(bench.make("forward_gradient", nullptr, {{"directions", std::int64_t{2}}}), InvalidParameter);
}

TEST_CASE("node perturbation averages to the true signals, with the variance of noise on all layers at once") {
  for (const bool two_sided : {false, true}) {
    Bench bench;
    const auto exact = exact_signals(bench);
    const auto rule = bench.make("node_perturbation", nullptr, {{"two_sided", two_sided}});
    Mean along[2], square[2];
    for (std::uint64_t step = 0; step < 400; ++step) {
      bench.gradient(*rule, step);
      for (Index r = 0; r < 12; ++r) {
        const double norms[2] = {inner(exact[0].row(r), exact[0].row(r)), inner(exact[1].row(r), exact[1].row(r))};
        for (Index l = 0; l < 2; ++l) {
          const auto d = rule->teaching_signal(l).row(r);
          along[l].add(inner(d, exact[std::size_t(l)].row(r)) / norms[l]);
          // E |<t, xi> xi_l|^2 = d_l |t|^2 + 2 |t_l|^2 with t over all perturbed layers
          square[l].add(inner(d, d) / (double(d.size()) * (norms[0] + norms[1]) + 2 * norms[l]));
        }
      }
    }
    INFO((two_sided ? "two-sided" : "one-sided"));
    for (Index l = 0; l < 2; ++l) {
      CHECK(std::fabs(along[l].z(1)) < kZ);
      CHECK(std::fabs(square[l].z(1)) < kZ);
    }
  }
}

TEST_CASE("more directions divide the variance of node perturbation, and its output may be perturbed too") {
  Bench bench;
  const auto exact = exact_signals(bench);
  const auto one = bench.make("node_perturbation", nullptr),
             four = bench.make("node_perturbation", nullptr, {{"directions", std::int64_t{4}}});
  Mean a, b;
  for (std::uint64_t step = 0; step < 300; ++step) {
    bench.gradient(*one, step);
    bench.gradient(*four, step);
    for (Index r = 0; r < 12; ++r)
      for (std::size_t j = 0; j < 24; ++j) {
        const double t = double(exact[0](r, Index(j)));
        a.add(std::pow(double(one->teaching_signal(0).row(r)[j]) - t, 2));
        b.add(std::pow(double(four->teaching_signal(0).row(r)[j]) - t, 2));
      }
  }
  CHECK(a.mean() / b.mean() ==
        Approx(4).epsilon(0.1));  // 86400 squares, correlated within a sample: 2 % standard error
  const auto all = bench.make("node_perturbation", nullptr, {{"exact_output", false}});
  const auto bp = bench.make("bp", nullptr);
  const std::vector<float> g = bench.gradient(*bp);
  const auto last = std::size_t(bench.net.offset(2));
  Mean along;
  for (std::uint64_t step = 0; step < 1000; ++step) {
    const std::vector<float> found = bench.gradient(*all, step);
    const auto exact_last = std::span(g).subspan(last);
    along.add(inner(std::span(found).subspan(last), exact_last) / inner(exact_last, exact_last));
  }
  CHECK(std::fabs(along.z(1)) < kZ);
}

TEST_CASE("SPSA averages to the gradient, with the variance of +-1 directions") {
  Bench bench;
  const auto bp = bench.make("bp", nullptr), rule = bench.make("spsa", nullptr, {{"gamma", 0.0}});
  const std::vector<float> exact = bench.gradient(*bp);
  const double norm = inner(exact, exact);
  Mean along, square;
  for (std::uint64_t step = 0; step < 3000; ++step) {
    const std::vector<float> g = bench.gradient(*rule, step);
    along.add(inner(g, exact) / norm);
    square.add(inner(g, g) / norm);
  }
  CHECK(std::fabs(along.z(1)) < kZ);
  CHECK(std::fabs(square.z(double(exact.size()))) < kZ);
  // the size of the step shrinks as stated: a cubic term would show in the slope of a large step
  const auto large = bench.make("spsa", nullptr, {{"c", 0.2}, {"gamma", 1.0}});
  const std::vector<float> late = bench.gradient(*large, 99), small = [&] {
    const auto other = bench.make("spsa", nullptr, {{"c", 0.002}, {"gamma", 0.0}});
    return bench.gradient(*other, 99);
  }();
  for (std::size_t i = 0; i < late.size(); i += 50) CHECK(late[i] == Approx(small[i]).epsilon(1e-4));
}

TEST_CASE("PEPG averages to the gradient of the smoothed loss, for centres and for widths") {
  Network net({6, 3}, Activation::identity);
  net.initialise(2);
  Matrix<float> x(10, 6), error(10, 3);
  std::vector<std::uint8_t> labels;
  const Stream stream(5, 1, Purpose::user);
  for (Index r = 0; r < 10; ++r) {
    stream.normal(std::uint64_t(r), 0, x.row(r));
    labels.push_back(std::uint8_t(r % 3));
  }
  Activations activations;
  forward(net, x, activations);
  output_error(Loss::mse, activations.h.back(), labels, error);
  ParamSet params("rule:pepg", rule("pepg").info.params);
  params.set({{"pairs", std::int64_t{4}}, {"sigma", 0.3}});
  const auto pepg = rule("pepg").make({net, 1, params, nullptr});
  const auto bp = rule("bp").make({net, 1, {}, nullptr});
  std::vector<float> exact(net.parameters().size()), g(exact.size());
  bp->gradient(net, {activations, error, labels, Loss::mse}, exact);
  // the loss is a parabola: its smoothed gradient is the gradient, and d/d(log s_i) = s^2 times its second derivative,
  // the mean square of the input (1 for a bias)
  double squares = 0;
  for (const float v : x.flat()) squares += double(v) * double(v);
  const double curvature = 3 * (squares / 10 + 1);
  Mean along, widths;
  for (std::uint64_t step = 0; step < 4000; ++step) {
    pepg->gradient(net, {activations, error, labels, Loss::mse, step}, g);
    along.add(inner(g, exact) / inner(exact, exact));
    double total = 0;
    for (const float v : pepg->own().gradient) total += double(v);
    widths.add(total / (0.3 * 0.3 * curvature));
  }
  CHECK(std::fabs(along.z(1)) < kZ);
  CHECK(std::fabs(widths.z(1)) < kZ);
  params.set({{"adapt", false}});
  CHECK(rule("pepg").make({net, 1, params, nullptr})->own().values.empty());
}
