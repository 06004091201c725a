// Rules of blocks on convolutional networks: local losses against their definitions in plain double precision,
// gradients against central differences of those losses.
#include <numbers>

#include "training/layers/architecture.hpp"
#include "training/rules/images_for_tests.hpp"
#include "training/rules/streams.hpp"

using namespace lightloop;

namespace {

constexpr const char* kNet = "6x6x1 | conv 3 3, tanh | conv 4 3 stride=2, tanh | flatten, dense classes";
constexpr const char* kNormed = "6x6x1 | conv 3 3, batch_norm, tanh | conv 4 3 stride=2, tanh | flatten, dense classes";

Network network(const char* text) { return Network(parse_model(text, {{}, 5})); }

/// The two hidden blocks of kNet, each seen through pool=2.
struct Seen {
  Image h1, h2;
  Row s1, s2;
};
Seen seen(const Bench& bench, Index r, bool normalise = false) {
  const auto parameters = bench.net.parameters();
  Image x{6, 1, row_of(bench.x.row(r))};
  Image h1 = convolved(x, parameters, 3, 1, true);
  h1.values = tanh_of(h1.values);
  Image between = h1;
  if (normalise) between.values = normalised(between.values);
  Image h2 = convolved(between, parameters.subspan(std::size_t(bench.net.offset(1))), 4, 2, true);
  h2.values = tanh_of(h2.values);
  return {h1, h2, pooled(h1, 3, 3), pooled(h2, 2, 1)};
}

void check_blocks(Bench& bench, Rule& rule, const std::function<std::size_t(Index)>& index, double most = 3e-3) {
  losses(bench, rule);
  const std::vector<float> g = bench.gradient(rule);
  for (Index b = 0; b < bench.net.layers(); ++b) {
    const auto begin = std::size_t(bench.net.offset(b));
    const std::size_t end = b + 1 < bench.net.layers() ? std::size_t(bench.net.offset(b + 1)) : g.size();
    INFO("block " << b);
    CHECK(worst(bench, rule, bench.net.parameters().subspan(begin, end - begin),
                std::span(g).subspan(begin, end - begin), only(index(b))) < most);
  }
}

const Settings kPool{{"pool", std::int64_t{2}}};

Settings with(Settings settings) {
  settings.insert(kPool.begin(), kPool.end());
  return settings;
}

}  // namespace

TEST_CASE("local heads on a convolutional net: losses on pooled blocks as defined, gradients as their differences") {
  Bench bench(network(kNet));
  const auto rule = bench.make("local", nullptr, kPool);
  const auto found = losses(bench, *rule);
  const std::span<const float> heads = rule->own().values;
  REQUIRE(heads.size() == 5 * (12 + 1) + 5 * (16 + 1));
  REQUIRE(found.size() == 3);
  const auto loss = [&](const Row& s, std::size_t begin, Index r) {
    return cross_entropy(affine(heads.subspan(begin), s, 5), label(bench, r));
  };
  CHECK(found[0] == Approx(mean(bench, [&](Index r) { return loss(seen(bench, r).s1, 0, r); })));
  CHECK(found[1] == Approx(mean(bench, [&](Index r) { return loss(seen(bench, r).s2, 5 * 13, r); })));
  check_blocks(bench, *rule, same);
  check_own(bench, *rule);
  CHECK(rule->teaching_signal(0).cols() == 6 * 6 * 3);
}

TEST_CASE("blocks with batch norm: gradients through the statistics of the batch, which the net's state follows") {
  for (const char* name : {"local", "sff", "auglocal"}) {
    INFO(name);
    Bench bench(network(kNormed));
    const auto rule = bench.make(name, nullptr, name == std::string("local") ? kPool : Settings{});
    check_own(bench, *rule);
    Activations whole;
    forward(bench.net, bench.x, whole, {.training = true, .seed = 1});
    Network learned = bench.net;
    learn_state(learned, whole);
    CHECK(std::ranges::equal(rule->learned_state(), learned.state()));
    const bool joined = name == std::string("auglocal");  // the last hidden block and the output share a loss
    check_blocks(
        bench, *rule, [joined](Index b) { return std::size_t(joined ? std::min<Index>(b, 1) : b); }, 2e-2);
  }
}

TEST_CASE("Scalable Forward-Forward on a convolutional net: class maps by 1 x 1 convolution, pixels as units") {
  Bench bench(network(kNet));
  const auto rule = bench.make("sff", nullptr, {{"map", "pixels"}});
  const auto found = losses(bench, *rule);
  const std::span<const float> maps = rule->own().values;
  REQUIRE(maps.size() == 5 * (3 + 1) + 5 * (4 + 1));
  const auto loss = [&](std::span<const float> map, const Image& h, std::size_t y) {
    Row g(5);
    const std::size_t places = h.size * h.size;
    for (std::size_t p = 0; p < places; ++p) {
      const Row z = affine(map,
                           Row(h.values.begin() + std::ptrdiff_t(p * h.channels),
                               h.values.begin() + std::ptrdiff_t((p + 1) * h.channels)),
                           5);
      for (std::size_t c = 0; c < 5; ++c) g[c] += z[c] * z[c] / double(places);
    }
    double inside = 1;
    for (std::size_t c = 0; c < 5; ++c)
      if (c != y) inside += std::exp(g[c] - g[y] + 1);
    return std::log(inside);
  };
  CHECK(found[0] == Approx(mean(bench, [&](Index r) { return loss(maps, seen(bench, r, true).h1, label(bench, r)); })));
  CHECK(found[1] ==
        Approx(mean(bench, [&](Index r) { return loss(maps.subspan(20), seen(bench, r, true).h2, label(bench, r)); })));
  check_blocks(bench, *rule, same);
  check_own(bench, *rule);
  const auto whole = bench.make("sff", nullptr, {{"block", std::int64_t{2}}, {"map", "pixels"}});
  check_blocks(bench, *whole, [](Index b) { return b < 2 ? 0u : 1u; });
}

TEST_CASE("Scalable Forward-Forward with a dense map of pooled blocks: margin loss as defined") {
  Bench bench(network(kNet));
  const auto rule = bench.make("sff", nullptr, with({{"units", std::int64_t{2}}}));
  const auto found = losses(bench, *rule);
  const std::span<const float> maps = rule->own().values;
  REQUIRE(maps.size() == 10 * (12 + 1) + 10 * (16 + 1));
  CHECK(found[0] == Approx(mean(bench, [&](Index r) {
          const Row z = affine(maps, seen(bench, r, true).s1, 10);
          const auto goodness = [&](std::size_t c) { return (z[2 * c] * z[2 * c] + z[2 * c + 1] * z[2 * c + 1]) / 2; };
          double inside = 1;
          for (std::size_t c = 0; c < 5; ++c)
            if (c != label(bench, r)) inside += std::exp(goodness(c) - goodness(label(bench, r)) + 1);
          return std::log(inside);
        })));
  check_blocks(bench, *rule, same);
  check_own(bench, *rule);
}

TEST_CASE("LLS on a convolutional net: patterns over pooled blocks as defined, gradients as their differences") {
  for (const char* mixing : {"none", "matrix"}) {
    Bench bench(network(kNet));
    const auto rule = bench.make("lls", nullptr, with({{"mixing", mixing}, {"smoothing", 0.0}}));
    const auto found = losses(bench, *rule);
    CHECK(found[1] == Approx(mean(bench, [&](Index r) {
            const Row s = seen(bench, r).s2;
            const double norm = std::sqrt(squares(s));
            Row p(5);
            for (std::size_t c = 0; c < 5; ++c)
              for (std::size_t j = 0; j < 16; ++j)
                p[c] += s[j] / norm * (std::sin((50 + 462 * double(c) / 4) * double(j + 1) / 16) < 0 ? -1 : 1);
            return cross_entropy(p, label(bench, r));
          })));
    check_blocks(bench, *rule, same);
    if (mixing == std::string("matrix")) check_own(bench, *rule);
  }
}

TEST_CASE("Counter-Current Learning on a convolutional net: targets meet pooled blocks") {
  Bench bench(network(kNet));
  const auto rule = bench.make("ccl", nullptr, with({{"clip", 0.0}}));
  const auto found = losses(bench, *rule);
  const std::span<const float> down = rule->own().values;
  REQUIRE(down.size() == 12 * (16 + 1) + 16 * (5 + 1));
  std::vector<Row> t1, t2;
  for (std::size_t c = 0; c < 5; ++c) {
    Row one(5);
    one[c] = 1;
    t2.push_back(tanh_of(affine(down.subspan(12 * 17), one, 16)));
    t1.push_back(tanh_of(affine(down, t2.back(), 12)));
  }
  const auto loss = [](const Row& s, const std::vector<Row>& t, std::size_t y) {
    double total = 0;
    for (std::size_t c = 0; c < 5; ++c) {
      double product = 0;
      for (std::size_t j = 0; j < s.size(); ++j) product += s[j] * t[c][j];
      const double wrong = 0.25 / std::sqrt(double(s.size())) * product - (c == y);
      total += 256 / (2 * double(s.size()) * 5) * wrong * wrong;
    }
    return total;
  };
  CHECK(found[0] == Approx(mean(bench, [&](Index r) { return loss(seen(bench, r).s1, t1, label(bench, r)); })));
  CHECK(found[1] == Approx(mean(bench, [&](Index r) { return loss(seen(bench, r).s2, t2, label(bench, r)); })));
  check_blocks(bench, *rule, same);
  // each of V's layers follows the loss where its targets meet a block
  std::span<float> values = rule->own().values;
  losses(bench, *rule);
  CHECK(worst(bench, *rule, values.first(12 * 17), rule->own().gradient.first(12 * 17), only(0)) < 3e-3);
  losses(bench, *rule);
  CHECK(worst(bench, *rule, values.subspan(12 * 17), rule->own().gradient.subspan(12 * 17), only(1)) < 3e-3);
}

TEST_CASE("AugLocal on a convolutional net: a head convolves to the width of a block above, as defined") {
  Bench bench(network(kNet));
  const auto rule = bench.make("auglocal", nullptr);
  const std::span<const float> head = rule->own().values;
  // 3 x 3 convolution of 3 to 4 channels without bias, batch norm, 4 to 5 classes
  REQUIRE(head.size() == 4 * 27 + 8 + 5 * (4 + 1));
  const auto found = losses(bench, *rule);
  std::vector<Image> a;
  for (Index r = 0; r < 12; ++r) a.push_back(convolved(seen(bench, r).h1, head, 4, 2, false));
  double total = 0;
  Row centre(4), inverse(4);
  for (std::size_t c = 0; c < 4; ++c) {
    double sum = 0, square = 0;
    for (const Image& image : a)
      for (std::size_t p = 0; p < 9; ++p) sum += image.values[p * 4 + c] / (12 * 9);
    for (const Image& image : a)
      for (std::size_t p = 0; p < 9; ++p) square += std::pow(image.values[p * 4 + c] - sum, 2) / (12 * 9);
    centre[c] = sum;
    inverse[c] = 1 / std::sqrt(square + 1e-5);
  }
  for (Index r = 0; r < 12; ++r) {
    Row features(4);
    for (std::size_t p = 0; p < 9; ++p)
      for (std::size_t c = 0; c < 4; ++c)
        features[c] += std::max(0.0, (a[std::size_t(r)].values[p * 4 + c] - centre[c]) * inverse[c]) / 9;
    total += cross_entropy(affine(head.subspan(4 * 27 + 8), features, 5), label(bench, r)) / 12;
  }
  CHECK(found[0] == Approx(total));
}

TEST_CASE("NoProp on a convolutional net: every block's loss for its noisy label as defined, gradients alone") {
  Bench bench(network(kNet));
  const auto rule = bench.make("noprop", nullptr, {{"blocks", std::int64_t{3}}});
  const auto found = losses(bench, *rule);
  REQUIRE(found.size() == 3);
  // U (108, 5) for each of three blocks, which join before the second convolution; then two copies of the net
  const std::size_t u = 108 * 5, net = bench.net.parameters().size();
  const std::span<const float> own = rule->own().values;
  REQUIRE(own.size() == 3 * u + 2 * net);
  const Stream noise(1, 0, kRuleNoise);
  for (std::size_t t = 0; t < 3; ++t) {
    const std::span<const float> p = t == 2 ? bench.net.parameters() : own.subspan(3 * u + t * net, net);
    const double s = std::pow(std::sin(std::numbers::pi / 2 * double(t) / 3), 2);
    CHECK(found[t] == Approx(mean(bench, [&](Index r) {
            std::vector<float> z(5);
            noise.normal(std::uint64_t(r), 5 * t, z);
            for (float& v : z) v *= float(std::sqrt(1 - s));
            z[label(bench, r)] += float(std::sqrt(s));
            Image h = convolved({6, 1, row_of(bench.x.row(r))}, p, 3, 1, true);
            h.values = tanh_of(h.values);
            for (std::size_t i = 0; i < 108; ++i)
              for (std::size_t c = 0; c < 5; ++c) h.values[i] += double(own[t * u + i * 5 + c]) * double(z[c]);
            Image g = convolved(h, p.subspan(std::size_t(bench.net.offset(1))), 4, 2, true);
            return cross_entropy(affine(p.subspan(std::size_t(bench.net.offset(2))), tanh_of(g.values), 5),
                                 label(bench, r));
          })));
  }
  check_blocks(bench, *rule, [](Index) { return 2u; });
  check_own(bench, *rule);
}

TEST_CASE("NoProp adds no label to token codes: the net must be three blocks deep behind them") {
  const auto made = [](const char* net) {
    const Network codes(parse_model(net, {{6}, 2}));
    const RuleModel& model = rule("noprop");
    return model.make({codes, 1, ParamSet("rule", model.info.params), nullptr})->own().values.size();
  };
  for (const char* net : {"embedding 9 4, flatten, dense 8, relu | dense classes",
                          "embedding 9 4, flatten, dense classes", "embedding 9 4, dense 4 | flatten, dense classes"})
    CHECK_THROWS_WITH(made(net), Catch::Contains("codes") && Catch::Contains("a block of its own"));
  CHECK(made("embedding 9 4 | flatten, dense 8, relu | dense classes") > 0);
  CHECK(made("dense 8, relu | dense classes") > 0);
}

TEST_CASE("NoProp on a convolutional net: its copies begin as no other and as the net of no other seed") {
  Bench bench(network(kNet));
  const std::size_t u = 108 * 5, net = bench.net.parameters().size();
  const auto weights = [&](std::span<const float> all) { return row_of(all.first(4 * 9)); };  // of the first layer
  std::vector<Row> begun;
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    const RuleModel& model = rule("noprop");
    ParamSet params("rule", model.info.params);
    params.set({{"blocks", std::int64_t{3}}});
    const auto made = model.make({bench.net, seed, params, nullptr});
    for (std::size_t t = 0; t < 2; ++t) begun.push_back(weights(made->own().values.subspan(3 * u + t * net, net)));
  }
  for (std::uint64_t seed = 0; seed <= 5; ++seed) {
    Network other = bench.net;
    other.initialise(seed);
    begun.push_back(weights(other.parameters()));
  }
  for (std::size_t i = 0; i < begun.size(); ++i)
    for (std::size_t k = 0; k < i; ++k) CHECK(begun[i] != begun[k]);
}
