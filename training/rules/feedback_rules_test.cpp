// Sign symmetry, augmented DFA, PEPITA against their definitions in double precision.
#include <algorithm>
#include <catch2/catch.hpp>

#include "training/rules/bench_for_tests.hpp"
#include "training/rules/streams.hpp"

using namespace lightloop;

namespace {

double derivative(double h) { return 1 - h * h; }

double worst(const std::vector<float>& a, const std::vector<double>& b) {
  double w = 0;
  for (std::size_t i = 0; i < a.size(); ++i) w = std::max(w, std::isnan(a[i]) ? 1e9 : std::fabs(double(a[i]) - b[i]));
  return w;
}

}  // namespace

TEST_CASE("sign symmetry sends the error back through signs of the weights and sizes of its own") {
  for (const char* size : {"uniform", "fixed", "redrawn"}) {
    Bench bench;
    const auto made = bench.make("sign_symmetric", nullptr, {{"size", size}, {"scale", 2.0}});
    bench.gradient(*made, 5);
    const bool uniform = size == std::string("uniform"), redrawn = size == std::string("redrawn");
    const Stream stream(1, 2, redrawn ? kRulePerturbation : kRuleFixed);
    std::vector<float> drawn(17);
    double bad = 0;
    for (Index r = 0; r < 12; ++r)
      for (Index j = 0; j < 17; ++j) {
        double sum = 0;
        for (Index c = 0; c < 5; ++c) {
          stream.normal(std::uint64_t(c) + (redrawn ? 25u : 0u), 0, drawn);  // 5 rows a step
          const double size_of = (uniform ? 1 : std::fabs(double(drawn[std::size_t(j)]))) * 2 / std::sqrt(17.0);
          sum += double(bench.error(r, c)) * std::copysign(size_of, double(bench.net.weights(2)(c, j)));
        }
        const double h = double(bench.activations.h[2](r, j));
        bad = std::max(bad, std::fabs(sum * derivative(h) - double(made->teaching_signal(1)(r, j))));
      }
    INFO(size);
    CHECK(bad < 2e-6);
    if (uniform) continue;
    const Matrix<float> before = [&] {
      Matrix<float> copy(12, 17);
      for (Index r = 0; r < 12; ++r) std::ranges::copy(made->teaching_signal(1).row(r), copy.row(r).begin());
      return copy;
    }();
    bench.gradient(*made, 6);
    CHECK(std::ranges::equal(before.row(0), made->teaching_signal(1).row(0)) != redrawn);
  }
}

TEST_CASE("augmented DFA with the derivative of tanh is DFA, with other gates it equals its definition") {
  Bench bench;
  MatrixFeedback feedback(5, 24);
  const auto dfa = bench.make("dfa", &feedback), same = bench.make("adfa", &feedback, {{"gate", "sech2"}});
  const std::vector<float> a = bench.gradient(*dfa), b = bench.gradient(*same);
  CHECK(worst(b, std::vector<double>(a.begin(), a.end())) < 1e-6);
  for (const char* gate : {"cos", "sin", "one"}) {
    const auto made = bench.make("adfa", &feedback, {{"gate", gate}, {"gate_scale", 1.5}});
    bench.gradient(*made);
    double bad = 0;
    for (Index r = 0; r < 12; ++r)
      for (Index j = 0; j < 24; ++j) {
        double sum = 0, x = 0;
        for (Index c = 0; c < 5; ++c) sum += double(feedback.matrix()(j, c)) * double(bench.error(r, c));
        for (Index i = 0; i < 9; ++i) x += double(bench.net.weights(0)(j, i)) * double(bench.x(r, i));
        const double g = gate == std::string("cos")   ? std::cos(1.5 * x)
                         : gate == std::string("sin") ? std::sin(1.5 * x)
                                                      : 1;
        bad = std::max(bad, std::fabs(sum / std::sqrt(24.0) * g - double(made->teaching_signal(0)(r, j))));
      }
    INFO(gate);
    CHECK(bad < 2e-6);
  }
}

TEST_CASE("PEPITA equals its definition in double precision, with the same units left out of both passes") {
  struct Case {
    double dropout;
    const char* shows;
    bool recompute;
  };
  for (const auto& [dropout, shows, recompute] :
       {Case{0.0, "input", false}, Case{0.3, "auto", true}, Case{0.3, "change", false}, Case{0.3, "change", true}}) {
    Bench bench;
    MatrixFeedback feedback(5, 24);
    const auto made =
        bench.make("pepita", &feedback,
                   {{"dropout", dropout}, {"scale", 0.5}, {"shows", std::string(shows)}, {"recompute", recompute}});
    const std::vector<float> found = bench.gradient(*made, 2);
    const Network& net = bench.net;
    std::vector<double> g(found.size(), 0.0);
    const Stream masks[] = {{1, 0, kRuleNoise}, {1, 1, kRuleNoise}};
    for (Index r = 0; r < 12; ++r) {
      const auto pass = [&](std::vector<double> x) {
        std::vector<std::vector<double>> h{x};
        for (Index l = 0; l < 3; ++l) {
          const View<const float> w = net.weights(l);
          std::vector<double> out;
          std::vector<float> u(std::size_t(w.rows()));
          if (l < 2) masks[l].uniform(24 + std::uint64_t(r), 0, u);
          for (Index j = 0; j < w.rows(); ++j) {
            double a = double(net.bias(l)[std::size_t(j)]);
            for (Index i = 0; i < w.cols(); ++i) a += double(w(j, i)) * h.back()[std::size_t(i)];
            if (l < 2) a = double(u[std::size_t(j)]) < dropout ? 0 : std::tanh(a) / (1 - dropout);
            out.push_back(a);
          }
          h.push_back(out);
        }
        return h;
      };
      std::vector<double> x(bench.x.row(r).begin(), bench.x.row(r).end()), e(5);
      const auto first = pass(x);
      double total = 0;
      for (const double v : first[3]) total += std::exp(v);
      for (std::size_t c = 0; c < 5; ++c)
        e[c] = std::exp(first[3][c]) / total - (bench.labels[std::size_t(r)] == c ? 1 : 0);
      for (std::size_t i = 0; i < 9; ++i)
        for (std::size_t c = 0; c < 5; ++c)
          x[i] += 0.5 * std::sqrt(2.0 / 9) * double(feedback.matrix()(Index(i), Index(c))) * e[c];
      const auto second = pass(x);
      for (Index l = 0; l < 3; ++l) {
        const auto i = std::size_t(l);
        for (std::size_t j = 0; j < first[i + 1].size(); ++j) {
          const double delta = l == 2 ? e[j] : first[i + 1][j] - second[i + 1][j];
          const std::size_t inputs = second[i].size(), row = std::size_t(net.offset(l)) + j * inputs;
          for (std::size_t k = 0; k < inputs; ++k) g[row + k] += delta * second[i][k] / 12;
          g[std::size_t(net.offset(l)) + first[i + 1].size() * inputs + j] += delta / 12;
        }
      }
    }
    INFO(dropout << " " << shows << " " << recompute);
    CHECK(worst(found, g) < 2e-6);
    CHECK(feedback.rows_projected == 12);
  }
}
