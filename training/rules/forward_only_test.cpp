// Forward-Forward, PhyLL, NoProp: losses against their definitions in plain double precision, gradients against central
// differences of those losses.
#include "core/error.hpp"
#include "training/rules/label_overlay.hpp"
#include "training/rules/local_loss_for_tests.hpp"
#include "training/rules/phyll.hpp"
#include "training/rules/streams.hpp"

using namespace lightloop;

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

TEST_CASE("labels take the place of as many features per class as asked for, of all the net has and no more") {
  const std::vector<float> x{9, 9, 9, 9, 9, 9, 9, 8};
  std::vector<float> out(8);
  const LabelPlace place{.classes = 3, .wide = 2, .strength = 6};
  overlay(x, place, 1, out);
  CHECK(out == std::vector<float>{0, 0, 6, 6, 0, 0, 9, 8});
  overlay_neutral(x, place, out);
  CHECK(out == std::vector<float>{2, 2, 2, 2, 2, 2, 9, 8});

  Bench bench;  // nine inputs, five classes
  for (const char* name : {"ff", "phyll"})
    CHECK_THROWS_WITH(bench.make(name, nullptr, {{"label_features", std::int64_t{2}}}),
                      Catch::Contains("first 10 features") && Catch::Contains("there are 9"));
}

TEST_CASE("PhyLL answers by the mean of several showings, each with noise of its own, and counts their passes") {
  Bench bench;
  const Index layers = bench.net.layers(), samples = bench.x.rows(), classes = 5, showings = 3;
  const auto scores = [&](Index shown, const std::function<Index(Index)>& number) {
    ParamSet params("rule:phyll", rule("phyll").info.params);
    params.set({{"showings", std::int64_t{shown}}});
    Index calls = 0;
    const auto noisy = [&](Index, View<const float> in, View<float> out) {
      const auto k = static_cast<float>(number(calls++));
      for (Index r = 0; r < in.rows(); ++r)
        for (Index j = 0; j < in.cols(); ++j) out(r, j) = in(r, j) + std::sin(7 * k + static_cast<float>(j + r));
    };
    const auto made = phyll_with({bench.net, 1, params, nullptr}, noisy);
    Matrix<float> out(samples, classes);
    made->scores(bench.net, bench.x, out, 0);
    CHECK(calls == made->answer_passes(bench.net));
    return out;
  };
  const Matrix<float> all = scores(showings, [](Index call) { return call; });
  Matrix<double> mean(samples, classes);
  std::ranges::fill(mean.flat(), 0.0);
  for (Index s = 0; s < showings; ++s) {  // the calls that showing s of every class made above
    const Matrix<float> one =
        scores(1, [&](Index call) { return (call / layers * showings + s) * layers + call % layers; });
    for (std::size_t i = 0; i < mean.flat().size(); ++i) mean.flat()[i] += double(one.flat()[i]) / double(showings);
  }
  const Matrix<float> first = scores(1, [](Index call) { return call; });
  double apart = 0;
  for (std::size_t i = 0; i < mean.flat().size(); ++i) {
    CHECK(double(all.flat()[i]) == Approx(mean.flat()[i]).margin(1e-5));
    apart = std::max(apart, std::fabs(mean.flat()[i] - double(first.flat()[i])));
  }
  CHECK(apart > 0.05);
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

TEST_CASE("NoProp answers along the mean path, or a sampled one that is keyed by the sample's place") {
  for (const bool sampled : {false, true}) {
    Bench bench;
    const auto rule = bench.make("noprop", nullptr,
                                 {{"blocks", std::int64_t{3}}, {"path", std::string(sampled ? "sampled" : "mean")}});
    const std::span<const float> own = rule->own().values;
    const std::size_t inject = 24 * (5 + 1), size = bench.net.parameters().size();
    const Stream noise(1, 1, kRuleNoise);
    Matrix<float> found(7, 5);
    rule->scores(bench.net, bench.x.view().rows(5, 7), found, 40);
    for (Index r = 0; r < 7; ++r) {
      const auto drawn = [&](Index t) {
        std::vector<float> z(5);
        if (sampled) noise.normal(40 + std::uint64_t(r), std::uint64_t(5 * t), z);
        return Row(z.begin(), z.end());
      };
      Row z = drawn(0), logits;
      for (Index t = 0; t < 3; ++t) {
        const std::span<const float> net =
            t < 2 ? own.subspan(3 * inject + std::size_t(t) * size, size) : std::as_const(bench.net).parameters();
        Row a = affine(net, row_of(bench.x.row(5 + r)), 24);
        const Row b = affine(own.subspan(std::size_t(t) * inject), z, 24);
        for (std::size_t j = 0; j < 24; ++j) a[j] += b[j];
        const Row h2 = tanh_of(affine(net.subspan(24 * 10), tanh_of(a), 17));
        logits = affine(net.subspan(24 * 10 + 17 * 25), h2, 5);
        // q(z_t | z_{t-1}, u) from the joint law of the two, signals s < s'
        const double s = std::pow(std::sin(M_PI * double(t) / 6), 2),
                     next = std::pow(std::sin(M_PI * double(t + 1) / 6), 2);
        const Row e = drawn(t + 1);
        for (std::size_t c = 0; c < 5; ++c) {
          const double u = std::exp(-cross_entropy(logits, c)), alpha = s / next;
          const double mean =
              std::sqrt(next) * (1 - alpha) / (1 - s) * u + std::sqrt(alpha) * (1 - next) / (1 - s) * z[c];
          z[c] = mean + std::sqrt(std::max(0.0, (1 - next) * (1 - alpha) / (1 - s))) * e[c];
        }
      }
      for (std::size_t c = 0; c < 5; ++c) CHECK(double(found(r, Index(c))) == Approx(logits[c]).margin(1e-5));
    }
  }
}
