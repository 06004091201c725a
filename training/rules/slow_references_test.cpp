// Rules that are otherwise tested by averages, step by step against plain loops in double precision. The references
// draw from the same rows of the same streams, and share nothing else with the rules but the initial heads.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "training/layers/architecture.hpp"
#include "training/rules/local_loss_for_tests.hpp"
#include "training/rules/streams.hpp"

using namespace lightloop;

namespace {

using Vector = Row;

constexpr std::uint64_t kStep = 3;  // of a run; a step has 12 samples
constexpr int kSamples = 12, kClasses = 5;

Vector normal(std::uint64_t instance, Purpose purpose, std::uint64_t row, std::size_t n) {
  std::vector<float> drawn(n);
  Stream(1, instance, purpose).normal(row, 0, drawn);
  return {drawn.begin(), drawn.end()};
}

double inner(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// What the rule found, against g: the largest difference.
double worst(const std::vector<float>& found, const Vector& g) {
  double w = 0;
  for (std::size_t i = 0; i < g.size(); ++i)
    w = std::max(w, std::isnan(found[i]) ? 1e9 : std::fabs(double(found[i]) - g[i]));
  return w;
}

Vector softmax_error(const Vector& logits, std::size_t label) {
  double total = 0;
  for (const double a : logits) total += std::exp(a);
  Vector e;
  for (std::size_t c = 0; c < logits.size(); ++c) e.push_back(std::exp(logits[c]) / total - (c == label ? 1 : 0));
  return e;
}

/// The 9-24-17-5 net of tanh of a Bench.
struct SlowNet {
  explicit SlowNet(const Bench& of) : bench(of), p(of.net.parameters().begin(), of.net.parameters().end()) {}

  static constexpr int kWidths[] = {9, 24, 17, 5};
  static std::size_t begin(int l) {  // of layer l's weights
    std::size_t at = 0;
    for (int i = 0; i < l; ++i) at += std::size_t(kWidths[i + 1] * (kWidths[i] + 1));
    return at;
  }
  static std::size_t weight(int l, int j, int i) { return begin(l) + std::size_t(j * kWidths[l] + i); }
  static std::size_t bias(int l, int j) { return begin(l) + std::size_t(kWidths[l + 1] * kWidths[l] + j); }

  /// h[0] ... h[3] of sample r; `added` to the inputs of the units of the first layers.
  std::vector<Vector> pass(int r, const std::vector<Vector>& added = {}) const {
    std::vector<Vector> h{{bench.x.row(r).begin(), bench.x.row(r).end()}};
    for (int l = 0; l < 3; ++l) {
      Vector out;
      for (int j = 0; j < kWidths[l + 1]; ++j) {
        double a = p[bias(l, j)];
        for (int i = 0; i < kWidths[l]; ++i) a += p[weight(l, j, i)] * h.back()[std::size_t(i)];
        if (std::size_t(l) < added.size()) a += added[std::size_t(l)][std::size_t(j)];
        out.push_back(l < 2 ? std::tanh(a) : a);
      }
      h.push_back(out);
    }
    return h;
  }
  std::size_t label(int r) const { return bench.labels[std::size_t(r)]; }
  double loss(int r, const std::vector<Vector>& added = {}) const { return cross_entropy(pass(r, added)[3], label(r)); }
  double mean_loss() const {
    double sum = 0;
    for (int r = 0; r < kSamples; ++r) sum += loss(r);
    return sum / kSamples;
  }
  /// dL/da of all layers for sample r, of activities h.
  std::vector<Vector> deltas(int r, const std::vector<Vector>& h) const {
    std::vector<Vector> d(3);
    d[2] = softmax_error(h[3], label(r));
    for (int l = 1; l >= 0; --l)
      for (int j = 0; j < kWidths[l + 1]; ++j) {
        double sum = 0;
        for (int k = 0; k < kWidths[l + 2]; ++k) sum += p[weight(l + 1, k, j)] * d[std::size_t(l) + 1][std::size_t(k)];
        const double y = h[std::size_t(l) + 1][std::size_t(j)];
        d[std::size_t(l)].push_back(sum * (1 - y * y));
      }
    return d;
  }
  /// g += delta h^T / samples of layer l.
  static void teach(int l, const Vector& delta, const Vector& h, Vector& g) {
    for (int j = 0; j < kWidths[l + 1]; ++j) {
      for (int i = 0; i < kWidths[l]; ++i) g[weight(l, j, i)] += delta[std::size_t(j)] * h[std::size_t(i)] / kSamples;
      g[bias(l, j)] += delta[std::size_t(j)] / kSamples;
    }
  }

  const Bench& bench;
  Vector p;
};

}  // namespace

TEST_CASE("a step of node perturbation equals its definition in double precision") {
  constexpr double kSigma = 0.2;
  constexpr int kDirections = 2;
  for (const bool two_sided : {false, true})
    for (const bool exact_output : {false, true}) {
      Bench bench;
      const auto rule = bench.make("node_perturbation", nullptr,
                                   {{"sigma", kSigma},
                                    {"directions", std::int64_t{kDirections}},
                                    {"two_sided", two_sided},
                                    {"exact_output", exact_output}});
      const SlowNet net(bench);
      Vector g(net.p.size());
      for (int r = 0; r < kSamples; ++r) {
        const auto h = net.pass(r);
        std::vector<Vector> delta{Vector(24), Vector(17), Vector(5)};
        for (int k = 0; k < kDirections; ++k) {
          std::vector<Vector> xi, up, down;
          for (int l = 0; l < (exact_output ? 2 : 3); ++l) {
            const std::uint64_t row = (12 * kStep + std::uint64_t(r)) * kDirections + std::uint64_t(k);
            xi.push_back(normal(std::uint64_t(l), kRulePerturbation, row, std::size_t(SlowNet::kWidths[l + 1])));
            up.push_back(xi.back());
            for (double& v : up.back()) v *= kSigma;
            down.push_back(up.back());
            for (double& v : down.back()) v *= -1;
          }
          const double slope = two_sided ? (net.loss(r, up) - net.loss(r, down)) / (2 * kSigma)
                                         : (net.loss(r, up) - net.loss(r)) / kSigma;
          for (std::size_t l = 0; l < xi.size(); ++l)
            for (std::size_t j = 0; j < xi[l].size(); ++j) delta[l][j] += slope * xi[l][j] / kDirections;
        }
        if (exact_output) delta[2] = softmax_error(h[3], net.label(r));
        for (int l = 0; l < 3; ++l) SlowNet::teach(l, delta[std::size_t(l)], h[std::size_t(l)], g);
      }
      INFO(two_sided << " " << exact_output);
      CHECK(worst(bench.gradient(*rule, kStep), g) < 1e-5);
    }
}

TEST_CASE("a step of PEPG equals its definition in double precision, for centres and for widths") {
  constexpr double kSigma = 0.1;
  constexpr int kPairs = 3;
  Bench bench;
  const auto rule = bench.make("pepg", nullptr, {{"sigma", kSigma}, {"pairs", std::int64_t{kPairs}}});
  SlowNet net(bench);
  const Vector centre = net.p;
  std::vector<Vector> z;
  double up[kPairs], down[kPairs], total = 0;
  for (int k = 0; k < kPairs; ++k) {
    z.push_back(normal(0, kRulePerturbation, kStep * kPairs + std::uint64_t(k), centre.size()));
    for (const double sign : {1.0, -1.0}) {
      for (std::size_t i = 0; i < centre.size(); ++i) net.p[i] = centre[i] + sign * kSigma * z.back()[i];
      (sign > 0 ? up : down)[k] = net.mean_loss();
    }
    total += (up[k] + down[k]) / 2;
  }
  Vector g(centre.size()), widths(centre.size());
  for (int k = 0; k < kPairs; ++k) {
    const double mean = (up[k] + down[k]) / 2, others = (total - mean) / (kPairs - 1);
    for (std::size_t i = 0; i < g.size(); ++i) {
      const double v = z[std::size_t(k)][i];
      g[i] += (up[k] - down[k]) / 2 * v / kSigma / kPairs;
      widths[i] += (mean - others) * (v * v - 1) / kPairs;
    }
  }
  CHECK(worst(bench.gradient(*rule, kStep), g) < 2e-5);
  const std::span<const float> found = rule->own().gradient;
  CHECK(worst({found.begin(), found.end()}, widths) < 5e-6);
}

TEST_CASE("a step of forward gradients along noise and kernel guesses equals its definition in double precision") {
  constexpr int kDirections = 2;
  for (const std::string guess : {"gaussian", "rademacher", "ntk"})
    for (const bool local_target : {false, true}) {
      Bench bench;
      const auto rule = bench.make("forward_gradient", nullptr,
                                   {{"guess", guess},
                                    {"directions", std::int64_t{kDirections}},
                                    {"target", std::string(local_target ? "local" : "global")}});
      const std::span<const float> heads = rule->own().values;  // per layer: weights (C, d), bias (C)
      const SlowNet net(bench);
      Vector g(net.p.size());
      for (int r = 0; r < kSamples; ++r) {
        const auto h = net.pass(r);
        auto delta = net.deltas(r, h);
        for (std::size_t l = 0; l < 2; ++l) {
          const std::size_t d = h[l + 1].size(), at = l == 0 ? 0 : kClasses * (24 + 1);
          // (v H_l) f'(a_l): what comes back from the head of layer l
          const auto back = [&](const Vector& v) {
            Vector u(d);
            for (std::size_t j = 0; j < d; ++j) {
              for (std::size_t c = 0; c < kClasses; ++c) u[j] += v[c] * double(heads[at + c * d + j]);
              u[j] *= 1 - h[l + 1][j] * h[l + 1][j];
            }
            return u;
          };
          Vector target = delta[l];
          if (local_target) {
            Vector logits;
            for (std::size_t c = 0; c < kClasses; ++c) {
              logits.push_back(double(heads[at + kClasses * d + c]));
              for (std::size_t j = 0; j < d; ++j) logits[c] += double(heads[at + c * d + j]) * h[l + 1][j];
            }
            target = back(softmax_error(logits, net.label(r)));
          }
          Vector found(d);
          for (int k = 0; k < kDirections; ++k) {
            const std::uint64_t row = (12 * kStep + std::uint64_t(r)) * kDirections + std::uint64_t(k);
            Vector u = normal(l, kRulePerturbation, row, guess == "ntk" ? kClasses : d);
            if (guess == "ntk") u = back(u);
            if (guess == "rademacher")
              for (double& v : u) v = v > 0 ? 1 : -1;
            const double share = inner(target, u) / (guess == "ntk" ? inner(u, u) : 1) / kDirections;
            for (std::size_t j = 0; j < d; ++j) found[j] += share * u[j];
          }
          delta[l] = found;
        }
        for (int l = 0; l < 3; ++l) SlowNet::teach(l, delta[std::size_t(l)], h[std::size_t(l)], g);
      }
      INFO(guess << " " << local_target);
      CHECK(worst(bench.gradient(*rule, kStep), g) < 1e-5);
    }
}

TEST_CASE("a step of forward gradients of the weights equals its definition in double precision") {
  constexpr int kDirections = 2;
  for (const std::string guess : {"gaussian", "rademacher"}) {
    Bench bench;
    const auto rule = bench.make("forward_gradient", nullptr,
                                 {{"space", "weights"}, {"guess", guess}, {"directions", std::int64_t{kDirections}}});
    const SlowNet net(bench);
    Vector exact(net.p.size()), g(net.p.size());
    for (int r = 0; r < kSamples; ++r) {
      const auto h = net.pass(r);
      const auto delta = net.deltas(r, h);
      for (int l = 0; l < 3; ++l) SlowNet::teach(l, delta[std::size_t(l)], h[std::size_t(l)], exact);
    }
    for (int k = 0; k < kDirections; ++k) {
      Vector v = normal(0, kRulePerturbation, kStep * kDirections + std::uint64_t(k), g.size());
      if (guess == "rademacher")
        for (double& one : v) one = one > 0 ? 1 : -1;
      const double slope = inner(exact, v) / kDirections;
      for (std::size_t i = 0; i < g.size(); ++i) g[i] += slope * v[i];
    }
    INFO(guess);
    CHECK(worst(bench.gradient(*rule, kStep), g) < 1e-5);
  }
}

TEST_CASE("feedback alignment of a convolutional net with random feedback equals its definition in double precision") {
  constexpr int kSide = 4, kIn = 2, kMiddle = 3, kOut = 4, kPixels = kSide * kSide;
  constexpr double kScale = 1.5;
  Bench bench(
      Network(parse_model("4x4x2 | conv 3 3, tanh | conv 4 3, tanh | flatten, dense 5", {.input = {}, .classes = 5})));
  const auto rule = bench.make("fa", nullptr, {{"scale", kScale}});
  // B of the second convolution (kOut, 9 kMiddle) and of the output (classes, inputs): laws of the initial weights
  std::vector<Vector> kernel, dense;
  for (int o = 0; o < kOut; ++o) {
    kernel.push_back(normal(1, Purpose::feedback_matrix, std::uint64_t(o), 9 * kMiddle));
    for (double& v : kernel.back()) v *= kScale * std::sqrt(2.0 / (9 * kMiddle));
  }
  for (int c = 0; c < kClasses; ++c) {
    dense.push_back(normal(2, Purpose::feedback_matrix, std::uint64_t(c), kPixels * kOut));
    for (double& v : dense.back()) v *= kScale / std::sqrt(double(kPixels * kOut));
  }
  const std::size_t second = kMiddle * (9 * kIn + 1), last = second + kOut * (9 * kMiddle + 1);
  Vector g(bench.net.parameters().size());
  const auto each_tap = [](const auto& f) {  // (pixel out, pixel in, tap)
    for (int i = 0; i < kPixels; ++i)
      for (int tap = 0; tap < 9; ++tap) {
        const int row = i / kSide + tap / 3 - 1, col = i % kSide + tap % 3 - 1;
        if (row >= 0 && row < kSide && col >= 0 && col < kSide) f(i, row * kSide + col, tap);
      }
  };
  for (int r = 0; r < kSamples; ++r) {
    const auto x = bench.x.row(r), h1 = bench.activations.h[1].row(r), h2 = bench.activations.h[2].row(r),
               e = bench.error.row(r);
    Vector d2(kPixels * kOut), d1(kPixels * kMiddle);
    for (std::size_t k = 0; k < d2.size(); ++k) {
      for (std::size_t c = 0; c < kClasses; ++c) {
        d2[k] += double(e[c]) * dense[c][k];
        g[last + c * d2.size() + k] += double(e[c]) * double(h2[k]) / kSamples;
      }
      d2[k] *= 1 - double(h2[k]) * double(h2[k]);
      g[second + 9 * kMiddle * kOut + k % kOut] += d2[k] / kSamples;
    }
    for (std::size_t c = 0; c < kClasses; ++c) g[last + kClasses * d2.size() + c] += double(e[c]) / kSamples;
    each_tap([&](int out, int in, int tap) {
      for (int o = 0; o < kOut; ++o)
        for (int c = 0; c < kMiddle; ++c) {
          const std::size_t at = std::size_t(tap * kMiddle + c), from = std::size_t(out * kOut + o),
                            to = std::size_t(in * kMiddle + c);
          d1[to] += d2[from] * kernel[std::size_t(o)][at];
          g[second + std::size_t(o * 9 * kMiddle) + at] += d2[from] * double(h1[to]) / kSamples;
        }
    });
    for (std::size_t k = 0; k < d1.size(); ++k) {
      d1[k] *= 1 - double(h1[k]) * double(h1[k]);
      g[9 * kIn * kMiddle + k % kMiddle] += d1[k] / kSamples;
    }
    each_tap([&](int out, int in, int tap) {
      for (int o = 0; o < kMiddle; ++o)
        for (int c = 0; c < kIn; ++c)
          g[std::size_t((o * 9 + tap) * kIn + c)] +=
              d1[std::size_t(out * kMiddle + o)] * double(x[std::size_t(in * kIn + c)]) / kSamples;
    });
  }
  CHECK(worst(bench.gradient(*rule), g) < 2e-6);
}
