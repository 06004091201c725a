// Rules with local losses: the losses against their definitions in plain double precision, the gradients against
// central differences of those losses.
#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>

#include "core/error.hpp"
#include "training/rules/bench_for_tests.hpp"
#include "training/rules/label_overlay.hpp"
#include "training/rules/phyll.hpp"
#include "training/rules/streams.hpp"

using namespace lightloop;

namespace {

using Row = std::vector<double>;

Row row_of(std::span<const float> v) { return {v.begin(), v.end()}; }

/// W x + b with W (outputs, inputs) and b stored one after the other, as Network and OwnLayers do.
Row affine(std::span<const float> p, const Row& x, std::size_t outputs) {
  Row y(outputs);
  for (std::size_t j = 0; j < outputs; ++j) {
    y[j] = double(p[outputs * x.size() + j]);
    for (std::size_t i = 0; i < x.size(); ++i) y[j] += double(p[j * x.size() + i]) * x[i];
  }
  return y;
}

Row layer(const Network& net, Index l, const Row& x) {
  return affine(net.parameters().subspan(std::size_t(net.offset(l))), x, std::size_t(net.weights(l).rows()));
}

Row tanh_of(Row x) {
  for (double& v : x) v = std::tanh(v);
  return x;
}

double squares(const Row& x) {
  double s = 0;
  for (const double v : x) s += v * v;
  return s;
}

Row normalised(Row x) {
  const double rms = std::sqrt(squares(x) / double(x.size()));
  for (double& v : x) v /= rms;
  return x;
}

double cross_entropy(const Row& logits, std::size_t label) {
  double sum = 0;
  for (const double v : logits) sum += std::exp(v);
  return std::log(sum) - logits[label];
}

/// Mean over the batch of what `loss` says of one sample (row number).
double mean(const Bench& bench, const std::function<double(Index)>& loss) {
  double sum = 0;
  for (Index r = 0; r < bench.x.rows(); ++r) sum += loss(r);
  return sum / double(bench.x.rows());
}

std::size_t label(const Bench& bench, Index r) { return bench.labels[std::size_t(r)]; }

std::vector<double> losses(Bench& bench, Rule& rule) {
  forward(bench.net, bench.x, bench.activations);
  output_error(Loss::cross_entropy, bench.activations.h.back(), bench.labels, bench.error);
  bench.gradient(rule);
  return {rule.layer_loss().begin(), rule.layer_loss().end()};
}

/// Largest difference between `gradient` and `factor` times central differences of `of(losses)`, every third parameter,
/// relative to the largest gradient.
double worst(Bench& bench, Rule& rule, std::span<float> values, std::span<const float> gradient,
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

std::function<double(const std::vector<double>&)> only(std::size_t i) {
  return [i](const std::vector<double>& losses) { return losses[i]; };
}

double sum(const std::vector<double>& losses) {
  double total = 0;
  for (const double v : losses) total += v;
  return total;
}

/// Every layer of the net against loss number `index(layer)`.
void check_net(Bench& bench, Rule& rule, const std::function<std::size_t(Index)>& index, double factor = 1) {
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

void check_own(Bench& bench, Rule& rule) {
  losses(bench, rule);
  CHECK(worst(bench, rule, rule.own().values, rule.own().gradient, sum) < 3e-3);
}

std::size_t same(Index l) { return std::size_t(l); }

constexpr double kNear = 2e-5;  // single against double precision

}  // namespace

TEST_CASE("local heads: losses as defined, gradients of net and heads as their differences") {
  Bench bench;
  const auto rule = bench.make("local", nullptr);
  const auto found = losses(bench, *rule);
  const std::span<const float> heads = rule->own().values;
  REQUIRE(heads.size() == 5 * (24 + 1) + 5 * (17 + 1));
  REQUIRE(found.size() == 3);
  const auto h1 = [&](Index r) { return tanh_of(layer(bench.net, 0, row_of(bench.x.row(r)))); };
  const auto h2 = [&](Index r) { return tanh_of(layer(bench.net, 1, h1(r))); };
  CHECK(found[0] ==
        Approx(mean(bench, [&](Index r) { return cross_entropy(affine(heads, h1(r), 5), label(bench, r)); })));
  CHECK(found[1] == Approx(mean(bench, [&](Index r) {
          return cross_entropy(affine(heads.subspan(5 * 25), h2(r), 5), label(bench, r));
        })));
  CHECK(found[2] ==
        Approx(mean(bench, [&](Index r) { return cross_entropy(layer(bench.net, 2, h2(r)), label(bench, r)); })));
  CHECK(rule->loss() == Approx(12 * found[2]));
  check_net(bench, *rule, same);
  check_own(bench, *rule);
}

TEST_CASE("local heads: signals are given only where they are wanted, and the sum of heads answers when asked") {
  Bench bench;
  const auto rule = bench.make("local", nullptr, {{"answer", "sum"}});
  bench.gradient(*rule);
  CHECK(rule->teaching_signal(1).cols() == 17);
  std::vector<float> g(bench.net.parameters().size());
  rule->gradient(bench.net, {bench.activations, bench.error, bench.labels, Loss::cross_entropy, 0, 0, false}, g);
  CHECK(rule->teaching_signal(1).empty());
  CHECK(g == bench.gradient(*rule));
  Matrix<float> out(12, 5);
  rule->scores(bench.net, bench.x, out);
  const auto heads = rule->own().values;
  const Row h1 = tanh_of(layer(bench.net, 0, row_of(bench.x.row(7)))), h2 = tanh_of(layer(bench.net, 1, h1));
  const Row a = affine(heads, h1, 5), b = affine(heads.subspan(5 * 25), h2, 5), c = layer(bench.net, 2, h2);
  for (std::size_t i = 0; i < 5; ++i) CHECK(double(out(7, Index(i))) == Approx(a[i] + b[i] + c[i]).margin(kNear));
}

TEST_CASE("Scalable Forward-Forward: margin loss as defined, gradients through one layer or a whole block") {
  Bench bench;
  const auto single = bench.make("sff", nullptr, {{"units", std::int64_t{3}}});
  const auto found = losses(bench, *single);
  REQUIRE(found.size() == 3);
  const std::span<const float> maps = single->own().values;
  const auto goodness = [&](std::span<const float> map, const Row& h) {
    const Row z = affine(map, h, 15);
    Row g(5);
    for (std::size_t i = 0; i < 15; ++i) g[i / 3] += z[i] * z[i] / 3;
    return g;
  };
  const auto margin_loss = [](const Row& g, std::size_t y) {
    double inside = 1;
    for (std::size_t c = 0; c < 5; ++c)
      if (c != y) inside += std::exp(g[c] - g[y] + 1);
    return std::log(inside);
  };
  const auto h1 = [&](Index r) { return tanh_of(layer(bench.net, 0, row_of(bench.x.row(r)))); };
  const auto h2 = [&](Index r) { return tanh_of(layer(bench.net, 1, normalised(h1(r)))); };
  CHECK(found[0] == Approx(mean(bench, [&](Index r) { return margin_loss(goodness(maps, h1(r)), label(bench, r)); })));
  CHECK(found[1] == Approx(mean(bench, [&](Index r) {
          return margin_loss(goodness(maps.subspan(15 * 25), h2(r)), label(bench, r));
        })));
  check_net(bench, *single, same);
  check_own(bench, *single);
  const auto block = bench.make("sff", nullptr, {{"block", std::int64_t{2}}});
  check_net(bench, *block, [](Index l) { return l < 2 ? 0u : 1u; });
  check_own(bench, *block);
}

TEST_CASE("LLS, LLS-M and LLS-MxM: losses against fixed patterns as defined, gradients as their differences") {
  for (const char* mixing : {"none", "scale", "matrix"})
    for (const char* basis : {"sine", "square", "random"}) {
      Bench bench;
      const auto rule =
          bench.make("lls", nullptr, {{"mixing", mixing}, {"basis", basis}, {"smoothing", 0.0}, {"temperature", 0.5}});
      INFO(mixing << " " << basis);
      const std::span<float> mix = rule->own().values;
      REQUIRE(mix.size() == (mixing == std::string("none") ? 0u : mixing == std::string("scale") ? 10u : 50u));
      for (std::size_t i = 0; i < mix.size(); ++i) mix[i] += 0.1f * float(i % 7);
      const auto found = losses(bench, *rule);
      if (basis != std::string("random"))
        CHECK(found[0] == Approx(mean(bench, [&](Index r) {
                Row h = tanh_of(layer(bench.net, 0, row_of(bench.x.row(r))));
                const double norm = std::sqrt(squares(h));
                Row p(5), q(5);
                for (std::size_t c = 0; c < 5; ++c)
                  for (std::size_t j = 0; j < 24; ++j) {
                    const double wave = std::sin((50 + 462 * double(c) / 4) * double(j + 1) / 24);
                    p[c] += h[j] / norm * (basis == std::string("sine") ? wave : wave < 0 ? -1 : 1) / 0.5;
                  }
                for (std::size_t c = 0; c < 5; ++c) {
                  if (mix.size() == 50)
                    for (std::size_t k = 0; k < 5; ++k) q[c] += double(mix[c * 5 + k]) * p[k];
                  else
                    q[c] = (mix.empty() ? 1 : double(mix[c])) * p[c];
                }
                return cross_entropy(q, label(bench, r));
              })));
      check_net(bench, *rule, same);
      if (!mix.empty()) check_own(bench, *rule);
    }
}

TEST_CASE("AugLocal: the lowest head is as deep as asked, gradients are those of its loss") {
  Bench bench;
  const auto rule = bench.make("auglocal", nullptr);
  REQUIRE(rule->own().values.size() == 17 * (24 + 1) + 5 * (17 + 1));
  const auto found = losses(bench, *rule);
  REQUIRE(found.size() == 2);
  const std::span<const float> head = rule->own().values;
  CHECK(found[0] == Approx(mean(bench, [&](Index r) {
          const Row h = tanh_of(layer(bench.net, 0, row_of(bench.x.row(r))));
          return cross_entropy(affine(head.subspan(17 * 25), tanh_of(affine(head, h, 17)), 5), label(bench, r));
        })));
  // the last hidden layer and the output learn together
  check_net(bench, *rule, [](Index l) { return l == 0 ? 0u : 1u; });
  check_own(bench, *rule);
  const auto shallow = bench.make("auglocal", nullptr, {{"depth", std::int64_t{1}}});
  CHECK(shallow->own().values.size() == 5 * (24 + 1));
}

TEST_CASE("Counter-Current Learning: both nets follow the local loss, and the norm of a gradient is limited") {
  Bench bench;
  const auto rule = bench.make("ccl", nullptr, {{"clip", 0.0}});
  const auto found = losses(bench, *rule);
  const std::span<float> down = rule->own().values;
  const std::size_t lower = 24 * (17 + 1), upper = 17 * (5 + 1);
  REQUIRE(down.size() == lower + upper);
  const auto loss = [&](const Row& h, const std::vector<Row>& t, std::size_t y) {
    double total = 0;
    for (std::size_t c = 0; c < 5; ++c) {
      double s = c == y ? -1 : 0;
      for (std::size_t j = 0; j < h.size(); ++j) s += h[j] * t[c][j];
      total += 256 / (2 * double(h.size()) * 5) * s * s;
    }
    return total;
  };
  std::vector<Row> t2, t1;
  for (std::size_t c = 0; c < 5; ++c) {
    Row one(5);
    one[c] = 1;
    t2.push_back(tanh_of(affine(down.subspan(lower), one, 17)));
    t1.push_back(tanh_of(affine(down, t2.back(), 24)));
  }
  CHECK(found[0] == Approx(mean(bench, [&](Index r) {
          return loss(tanh_of(layer(bench.net, 0, row_of(bench.x.row(r)))), t1, label(bench, r));
        })));
  CHECK(found[1] == Approx(mean(bench, [&](Index r) {
          return loss(tanh_of(layer(bench.net, 1, tanh_of(layer(bench.net, 0, row_of(bench.x.row(r)))))), t2,
                      label(bench, r));
        })));
  std::vector<float> g = bench.gradient(*rule);
  for (Index l = 0; l < 2; ++l) {
    const auto begin = std::size_t(bench.net.offset(l)),
               count = std::size_t(bench.net.weights(l).size() + bench.net.weights(l).rows());
    CHECK(worst(bench, *rule, bench.net.parameters().subspan(begin, count), std::span(g).subspan(begin, count),
                only(std::size_t(l))) < 3e-3);
  }
  losses(bench, *rule);
  CHECK(worst(bench, *rule, down.first(lower), rule->own().gradient.first(lower), only(0)) < 3e-3);
  losses(bench, *rule);
  CHECK(worst(bench, *rule, down.subspan(lower), rule->own().gradient.subspan(lower), only(1)) < 3e-3);
  const auto clipped = bench.make("ccl", nullptr, {{"clip", 0.5}});
  g = bench.gradient(*clipped);
  CHECK(std::sqrt(squares(row_of(g))) == Approx(0.5).epsilon(1e-4));
  CHECK(std::sqrt(squares(row_of(clipped->own().gradient))) == Approx(0.5).epsilon(1e-4));
}

TEST_CASE("Forward-Forward: cross-entropy of the goodness as defined, gradients as half its differences") {
  Bench bench;
  const auto rule = bench.make("ff", nullptr,
                               {{"negatives", "uniform"},
                                {"peer", 0.0},
                                {"weight_decay", 0.0},
                                {"head_decay", 0.0},
                                {"head_rate", 1.0},
                                {"threshold", 1.0},
                                {"temperature", 2.0}});
  const auto found = losses(bench, *rule);
  REQUIRE(found.size() == 3);
  const Stream negative(1, 0, kRuleNegative);
  const auto with_label = [&](Index r, std::size_t y) {
    Row x = row_of(bench.x.row(r));
    for (std::size_t c = 0; c < 5; ++c) x[c] = c == y;
    return normalised(x);
  };
  const auto wrong = [&](Index r) {
    std::size_t rank = std::size_t(4 * negative.uniform(std::uint64_t(r), 0));
    return rank >= label(bench, r) ? rank + 1 : rank;
  };
  const auto entropy = [](const Row& h, bool right) {
    const double x = (squares(h) - double(h.size())) / 2;
    return std::log1p(std::exp(right ? -x : x));
  };
  const auto h1 = [&](Index r, std::size_t y) { return tanh_of(layer(bench.net, 0, with_label(r, y))); };
  CHECK(found[0] == Approx(mean(bench, [&](Index r) {
          return 0.5 * (entropy(h1(r, label(bench, r)), true) + entropy(h1(r, wrong(r)), false));
        })));
  CHECK(found[1] == Approx(mean(bench, [&](Index r) {
          const auto h2 = [&](std::size_t y) { return tanh_of(layer(bench.net, 1, normalised(h1(r, y)))); };
          return 0.5 * (entropy(h2(label(bench, r)), true) + entropy(h2(wrong(r)), false));
        })));
  // found is a mean over pairs' halves and the rule takes T / 2 of the cross-entropy: factor 2 * T / 2
  const std::vector<float> g = bench.gradient(*rule);
  for (Index l = 0; l < 2; ++l) {
    const auto begin = std::size_t(bench.net.offset(l)),
               count = std::size_t(bench.net.weights(l).size() + bench.net.weights(l).rows());
    losses(bench, *rule);
    CHECK(worst(bench, *rule, bench.net.parameters().subspan(begin, count), std::span(g).subspan(begin, count),
                only(std::size_t(l)), 2) < 3e-3);
  }
  const auto last = std::size_t(bench.net.offset(2));
  CHECK(worst(bench, *rule, bench.net.parameters().subspan(last), std::span(g).subspan(last), only(2)) < 3e-3);
}

TEST_CASE("Forward-Forward: hard negatives follow the scores, the peer term lifts quiet units, state comes back") {
  const std::vector<float> score{0, 2, 1, 0, -40};
  int counts[5] = {};
  const int n = 4000;
  const Stream stream(3, 0, Purpose::user);
  for (int i = 0; i < n; ++i) ++counts[wrong_label(score, 5, 1, stream.uniform(std::uint64_t(i), 0))];
  CHECK(counts[1] == 0);
  const double p = std::exp(1.0) / (2 + std::exp(1.0));  // of label 2; seed 3, alpha 1e-4 two-sided
  CHECK(std::fabs(counts[2] / double(n) - p) < 3.9 * std::sqrt(p * (1 - p) / n));
  CHECK(counts[4] < 3);

  Bench bench;
  const Settings off{{"negatives", "uniform"}, {"peer", 0.0}, {"weight_decay", 0.0}};
  Settings on = off;
  on["peer"] = 0.5;
  const auto without = bench.make("ff", nullptr, off), with = bench.make("ff", nullptr, on);
  const std::vector<float> a = bench.gradient(*without), b = bench.gradient(*with);
  const auto state = with->snapshot();
  const std::vector<float> next = bench.gradient(*with, 1);
  double pulls = 0;  // the pull on a bias is -peer (mean(m) - m_j): it sums to nothing over a layer
  for (std::size_t j = 9 * 24; j < 10 * 24; ++j) {
    CHECK(a[j] != b[j]);
    pulls += double(b[j] - a[j]);
  }
  CHECK(std::fabs(pulls) < 1e-4);
  const auto again = bench.make("ff", nullptr, on);
  again->restore(state);
  CHECK(bench.gradient(*again, 1) == next);
  CHECK_THROWS_AS(again->restore({}), InvalidParameter);
}

TEST_CASE("PhyLL: loss of the cosines as defined, exact gradients of the matrices behind any map") {
  const RuleModel& model = rule("phyll");
  for (const char* map : {"none", "mixing", "speckle", "mine"}) {
    Bench bench;
    ParamSet params("rule:phyll", model.info.params);
    params.set({{"label_strength", 1.0}});
    if (map != std::string("mine")) params.set({{"map", map}});
    const RuleContext context{bench.net, 1, params, nullptr};
    const auto mine = [](Index, View<const float> in, View<float> out) {
      for (Index r = 0; r < in.rows(); ++r)
        for (Index j = 0; j < in.cols(); ++j) out(r, j) = std::sin(3 * in(r, j)) + 0.2f * in(r, (j + 1) % in.cols());
    };
    const auto made = map == std::string("mine") ? phyll_with(context, mine) : model.make(context);
    INFO(map);
    const auto found = losses(bench, *made);
    REQUIRE(found.size() == 3);
    if (map == std::string("none")) {
      Row zeta(24);
      std::vector<float> drawn(24);
      Stream(1, 0, kRuleFixed).normal(0, 0, drawn);
      zeta.assign(drawn.begin(), drawn.end());
      const auto cosine = [&](Index r, std::size_t y) {
        Row x = row_of(bench.x.row(r));
        for (std::size_t c = 0; c < 5; ++c) x[c] = c == y;
        const Row a = tanh_of(layer(bench.net, 0, normalised(x)));
        double along = 0;
        for (std::size_t j = 0; j < 24; ++j) along += a[j] * zeta[j];
        return along / std::sqrt(squares(a) * squares(zeta));
      };
      const Stream negative(1, 0, kRuleNegative);
      CHECK(found[0] == Approx(mean(bench, [&](Index r) {
              const std::size_t rank = std::size_t(4 * negative.uniform(std::uint64_t(r), 0)), y = label(bench, r);
              return std::log1p(std::exp(-10 * (cosine(r, y) - cosine(r, rank >= y ? rank + 1 : rank))));
            })));
    }
    check_net(bench, *made, same);
  }
}

TEST_CASE("NoProp: every block learns its own loss alone, with either loss") {
  for (const char* kind : {"cross_entropy", "square"}) {
    Bench bench;
    const auto rule = bench.make("noprop", nullptr, {{"blocks", std::int64_t{3}}, {"block_loss", kind}});
    INFO(kind);
    const auto found = losses(bench, *rule);
    REQUIRE(found.size() == 3);
    const std::size_t inject = 24 * (5 + 1);
    REQUIRE(rule->own().values.size() == 3 * inject + 2 * bench.net.parameters().size());
    const Stream noise(1, 0, kRuleNoise);
    const double s = std::pow(std::sin(M_PI / 6), 2);  // signal in z_1, what block 2 of 3 sees
    CHECK(found[1] == Approx(mean(bench, [&](Index r) {
            std::vector<float> z(5);
            noise.normal(std::uint64_t(r), 5, z);
            Row zs(5);
            for (std::size_t c = 0; c < 5; ++c)
              zs[c] = std::sqrt(1 - s) * double(z[c]) + (c == label(bench, r) ? std::sqrt(s) : 0);
            const std::span<const float> own = rule->own().values;
            const auto net = own.subspan(3 * inject + bench.net.parameters().size());
            Row a = affine(net, row_of(bench.x.row(r)), 24);
            const Row b = affine(own.subspan(inject), zs, 24);
            for (std::size_t j = 0; j < 24; ++j) a[j] += b[j];
            const Row h2 = tanh_of(affine(net.subspan(24 * 10), tanh_of(a), 17));
            const Row logits = affine(net.subspan(24 * 10 + 17 * 25), h2, 5);
            if (kind == std::string("cross_entropy")) return cross_entropy(logits, label(bench, r));
            double square = 0;
            for (std::size_t c = 0; c < 5; ++c) {
              const double p = std::exp(-cross_entropy(logits, c)) - (c == label(bench, r) ? 1 : 0);
              square += 0.5 * p * p;
            }
            return square;
          })));
    check_net(bench, *rule, [](Index) { return 2u; });
    losses(bench, *rule);
    const std::size_t biases = 24;  // of the injections stay 0: the block has its own
    const Trainable own = rule->own();
    CHECK(worst(bench, *rule, own.values.first(inject - biases), own.gradient.first(inject - biases), sum) < 3e-3);
    losses(bench, *rule);
    CHECK(worst(bench, *rule, own.values.subspan(3 * inject), own.gradient.subspan(3 * inject), sum) < 3e-3);
  }
}

TEST_CASE("a net that a rule cannot use is refused with what is missing") {
  const Network shallow({9, 5}, Activation::tanh), narrow({3, 8, 5}, Activation::tanh);
  const auto make = [](const std::string& name, const Network& net) {
    return rule(name).make({net, 1, ParamSet("rule", rule(name).info.params), nullptr});
  };
  for (const char* name : {"ff", "sff", "ccl"}) CHECK_THROWS_AS(make(name, shallow), Unsupported);
  for (const char* name : {"ff", "phyll"}) CHECK_THROWS_WITH(make(name, narrow), Catch::Contains("first 5 features"));
}
