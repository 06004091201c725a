// Rules with local losses: the losses against their definitions in plain double precision, the gradients against
// central differences of those losses.
#include "core/error.hpp"
#include "training/rules/local_loss_for_tests.hpp"

using namespace lightloop;

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
  rule->gradient(bench.net, {bench.activations, bench.error, bench.labels, Loss::cross_entropy, 0, 0, 0}, g);
  CHECK(rule->teaching_signal(1).empty());
  CHECK(g == bench.gradient(*rule));
  Matrix<float> whole(12, 17);
  for (Index r = 0; r < 12; ++r) std::ranges::copy(rule->teaching_signal(1).row(r), whole.row(r).begin());
  rule->gradient(bench.net, {bench.activations, bench.error, bench.labels, Loss::cross_entropy, 0, 0, 5}, g);
  REQUIRE(rule->teaching_signal(1).rows() == 5);
  for (Index r = 0; r < 5; ++r) CHECK(std::ranges::equal(rule->teaching_signal(1).row(r), whole.row(r)));
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
  const auto rule = bench.make("ccl", nullptr, {{"clip", 0.0}, {"gain", 0.0}});
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
  const auto clipped = bench.make("ccl", nullptr, {{"clip", 0.5}, {"gain", 0.0}});
  g = bench.gradient(*clipped);
  CHECK(std::sqrt(squares(row_of(g))) == Approx(0.5).epsilon(1e-4));
  CHECK(std::sqrt(squares(row_of(clipped->own().gradient))) == Approx(0.5).epsilon(1e-4));
}

TEST_CASE("a net that a rule cannot use is refused with what is missing") {
  const Network shallow({9, 5}, Activation::tanh), narrow({3, 8, 5}, Activation::tanh);
  const auto make = [](const std::string& name, const Network& net) {
    return rule(name).make({net, 1, ParamSet("rule", rule(name).info.params), nullptr});
  };
  for (const char* name : {"ff", "sff", "ccl"}) CHECK_THROWS_AS(make(name, shallow), Unsupported);
  for (const char* name : {"ff", "phyll"}) CHECK_THROWS_WITH(make(name, narrow), Catch::Contains("first 5 features"));
}
