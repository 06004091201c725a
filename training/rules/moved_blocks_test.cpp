// Forward gradients and node perturbation on networks of any layers: signals against slow references of their own,
// exact derivatives or finite differences; bias and variance against theory.
#include "core/error.hpp"
#include "core/threads.hpp"
#include "training/layers/architecture.hpp"
#include "training/layers/model.hpp"
#include "training/rules/images_for_tests.hpp"
#include "training/rules/streams.hpp"

using namespace lightloop;

namespace {

constexpr const char* kNet = "6x6x1 | conv 3 3, tanh | conv 4 3 stride=2, tanh | flatten, dense classes";
constexpr const char* kNormed =
    "6x6x1 | conv 3 3, batch_norm, tanh | residual(conv 3 3, batch_norm), tanh, dropout 0.2 | flatten, dense 8, tanh | "
    "dense classes";
const Settings kPool{{"pool", std::int64_t{2}}};

Network network(const char* text) { return Network(parse_model(text, {{}, 5})); }

Settings with(Settings settings) {
  settings.insert(kPool.begin(), kPool.end());
  return settings;
}

double inner(std::span<const float> a, std::span<const float> b) {
  double s = 0;
  for (std::size_t i = 0; i < a.size(); ++i) s += double(a[i]) * double(b[i]);
  return s;
}

/// What a rule sends to the hidden blocks.
std::vector<Matrix<float>> signals(Bench& bench, Rule& rule) {
  std::vector<float> g = bench.gradient(rule);
  std::vector<Matrix<float>> all;
  for (Index b = 0; b < bench.net.hidden_layers(); ++b) {
    const View<const float> found = rule.teaching_signal(b);
    Matrix<float>& copy = all.emplace_back(found.rows(), found.cols());
    for (Index r = 0; r < found.rows(); ++r) std::ranges::copy(found.row(r), copy.row(r).begin());
  }
  return all;
}

std::vector<float> noise(Index layer, std::uint64_t row, std::size_t count, bool signs = false) {
  std::vector<float> v(count);
  Stream(1, std::uint64_t(layer), kRulePerturbation).normal(row, 0, v);
  if (signs)
    for (float& one : v) one = one > 0 ? 1.0f : -1.0f;
  return v;
}

/// Scores sent back through a head on kNet's block b, which sees means of windows.
std::vector<float> ntk_guess(std::span<const float> heads, Index b, std::span<const float> scores) {
  const std::size_t size = b == 0 ? 6 : 3, channels = b == 0 ? 3 : 4, window = b == 0 ? 3 : 2, stride = b == 0 ? 3 : 1;
  const std::size_t width = 4 * channels, begin = b == 0 ? 0 : 5 * 13;
  std::vector<float> u(size * size * channels);
  for (std::size_t k = 0; k < width; ++k) {
    float at_window = 0;
    for (std::size_t c = 0; c < 5; ++c) at_window += scores[c] * heads[begin + c * width + k];
    const std::size_t row = k / channels / 2 * stride, col = k / channels % 2 * stride;
    for (std::size_t i = row; i < row + window; ++i)
      for (std::size_t j = col; j < col + window; ++j)
        u[(i * size + j) * channels + k % channels] += at_window / float(window * window);
  }
  return u;
}

void check_near(std::span<const float> found, std::span<const float> guess, double factor, double margin) {
  double worst = 0, largest = 0;
  for (std::size_t j = 0; j < guess.size(); ++j) {
    worst = std::max(worst, std::fabs(double(found[j]) - factor * double(guess[j])));
    largest = std::max(largest, std::fabs(factor * double(guess[j])));
  }
  CHECK(worst < margin * largest);
}

/// Loss of every sample of a training pass in which the hidden blocks give out `step` times their noise more.
std::vector<double> moved_losses(const Bench& bench, float step, const std::vector<Matrix<float>>& moves) {
  const Model& model = *bench.net.model();
  Matrix<float> h = bench.x;
  for (Index b = 0; b < model.blocks(); ++b) {
    Matrix<float> y(h.rows(), model.block(b).outputs());
    LayerMemory memory;
    model.block(b).forward({.training = true, .seed = 1, .instance = model.instance(b)},
                           model.block_input(b, bench.net.parameters(), bench.net.state(), h), y, memory);
    const Matrix<float>& move = moves[std::size_t(b)];
    for (std::size_t i = 0; i < move.flat().size(); ++i) y.flat()[i] += step * move.flat()[i];
    h = y;
  }
  std::vector<double> losses;
  const auto rows = std::size_t(h.rows()), tokens = bench.labels.size() / rows,
             classes = std::size_t(h.cols()) / tokens;
  for (std::size_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (std::size_t t = 0; t < tokens; ++t)
      sum += cross_entropy(row_of(h.row(Index(r)).subspan(t * classes, classes)), bench.labels[r * tokens + t]);
    losses.push_back(sum);
  }
  return losses;
}

std::vector<Matrix<float>> still(const Network& net) { return std::vector<Matrix<float>>(std::size_t(net.layers())); }

Matrix<float> noise_rows(const Bench& bench, Index b) {
  Matrix<float> u(bench.x.rows(), bench.net.widths()[std::size_t(b) + 1]);
  for (Index r = 0; r < u.rows(); ++r)
    std::ranges::copy(noise(b, std::uint64_t(r), std::size_t(u.cols())), u.row(r).begin());
  return u;
}

/// Twelve rows of five codes, each with a label per token.
Bench token_bench(const char* text) {
  Bench bench(Network(parse_model("9 | dense 5", {})));
  bench.net = Network(parse_model(text, {.input = {5}, .classes = 3, .graph = nullptr, .targets = 5}));
  bench.net.initialise(4);
  bench.x = Matrix<float>(12, 5);
  bench.labels.clear();
  for (std::size_t i = 0; i < 60; ++i) {
    bench.x.flat()[i] = float(i * i % 7 % 3);
    bench.labels.push_back(std::uint8_t(i % 4 % 3));
  }
  bench.activations.h[0] = bench.x;
  return bench;
}

constexpr const char* kTokens =
    "embedding 3 8 | residual(layer_norm, attention 2 causal), dense 8, tanh | dense classes";

}  // namespace

TEST_CASE("forward gradient of blocks: every guess times the slope of the output's loss, or the head's, along it") {
  Bench bench(network(kNet));
  const auto exact = signals(bench, *bench.make("bp", nullptr));
  const auto heads = bench.make("local", nullptr, kPool);
  const auto local = signals(bench, *heads);
  const std::vector<float> own = {heads->own().values.begin(), heads->own().values.end()};
  for (const std::string guess : {"gaussian", "rademacher", "local", "ntk"})
    for (const std::string target : {"global", "local"}) {
      INFO(guess << ", " << target);
      const auto rule = bench.make("forward_gradient", nullptr, with({{"guess", guess}, {"target", target}}));
      const auto found = signals(bench, *rule);
      const bool is_noise = guess == "gaussian" || guess == "rademacher";
      for (std::size_t b = 0; b < 2; ++b)
        for (Index r = 0; r < 12; ++r) {
          const auto row = std::uint64_t(r);
          const auto width = std::size_t(found[b].cols());
          std::vector<float> u(local[b].row(r).begin(), local[b].row(r).end());
          if (is_noise) u = noise(Index(b), row, width, guess == "rademacher");
          if (guess == "ntk") u = ntk_guess(own, Index(b), noise(Index(b), row, 5));
          const double slope = inner((target == "local" ? local : exact)[b].row(r), u);
          check_near(found[b].row(r), u, slope / (is_noise ? 1 : inner(u, u)), 2e-4);
        }
      if (!is_noise || target == "local") CHECK(std::ranges::equal(rule->own().gradient, heads->own().gradient));
    }
}

TEST_CASE("forward gradient of blocks: parameters inside learn from the signal alone, the output from its error") {
  Bench bench(network(kNet));
  const auto heads = bench.make("local", nullptr), bp = bench.make("bp", nullptr),
             same = bench.make("forward_gradient", nullptr, {{"target", "local"}}),
             guess = bench.make("forward_gradient", nullptr);
  const std::vector<float> local = bench.gradient(*heads), exact = bench.gradient(*bp), found = bench.gradient(*same),
                           projected = bench.gradient(*guess);
  for (std::size_t i = 0; i < local.size(); ++i) CHECK(found[i] == Approx(local[i]).margin(1e-6));
  const auto last = std::ptrdiff_t(bench.net.offset(2));
  CHECK(std::equal(projected.begin() + last, projected.end(), exact.begin() + last));
  CHECK_FALSE(std::equal(projected.begin(), projected.begin() + last, exact.begin()));
}

TEST_CASE(
    "forward gradient of blocks: slopes where rows are normalised together, dropped, or are tokens, by differences") {
  for (const bool tokens : {false, true}) {
    Bench bench = tokens ? token_bench(kTokens) : Bench(network(kNormed));
    const auto found = signals(bench, *bench.make("forward_gradient", nullptr, {{"guess", "gaussian"}}));
    for (Index b = 0; b < bench.net.hidden_layers(); ++b) {
      auto moves = still(bench.net);
      moves[std::size_t(b)] = noise_rows(bench, b);
      const float step = tokens ? 1e-4f : 4e-3f;  // embeddings are small, and a norm behind them bends
      const auto up = moved_losses(bench, step, moves), down = moved_losses(bench, -step, moves);
      double worst = 0, largest = 0;
      for (Index r = 0; r < 12; ++r) {
        const double slope = (up[std::size_t(r)] - down[std::size_t(r)]) / (2 * double(step));
        const auto u = std::as_const(moves[std::size_t(b)]).row(r);
        worst = std::max(worst, std::fabs(inner(found[std::size_t(b)].row(r), u) / inner(u, u) - slope));
        largest = std::max(largest, std::fabs(slope));
      }
      INFO((tokens ? "tokens" : "images") << ", block " << b);
      CHECK(worst < 2e-3 * largest);
    }
  }
}

TEST_CASE("tokens: the gradient is that of the mean loss over them, a head's loss that of its answers to each") {
  Bench bench = token_bench(kTokens);
  const auto guess = bench.make("forward_gradient", nullptr, {{"guess", "gaussian"}, {"target", "local"}});
  const auto same = bench.make("forward_gradient", nullptr, {{"target", "local"}});
  const auto losses_of_heads = [&] {
    bench.gradient(*same);
    return std::vector<double>(same->layer_loss().begin(), same->layer_loss().end());
  };
  const std::vector<float> g = bench.gradient(*same);
  REQUIRE(same->own().values.size() == 2 * 3 * (8 + 1));
  const auto check = [&](std::span<float> values, std::span<const float> slopes, std::size_t which) {
    const std::vector<float> expected(slopes.begin(), slopes.end());
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < values.size(); i += 3) {
      const float before = values[i];
      values[i] = before + 1e-3f;
      const double up = losses_of_heads()[which];
      values[i] = before - 1e-3f;
      const double slope = (up - losses_of_heads()[which]) / 2e-3;
      values[i] = before;
      worst = std::max(worst, std::fabs(slope - double(expected[i])));
      largest = std::max(largest, std::fabs(slope));
    }
    CHECK(worst < 5e-3 * largest);
  };
  const auto first = std::size_t(bench.net.offset(1)), last = std::size_t(bench.net.offset(2));
  check(bench.net.parameters().first(first), std::span(g).first(first), 0);
  check(bench.net.parameters().subspan(first, last - first), std::span(g).subspan(first, last - first), 1);
  losses_of_heads();
  check(same->own().values.first(27), same->own().gradient.first(27), 0);
  bench.gradient(*guess);
  CHECK(same->loss() == guess->loss());  // summed over tokens
  CHECK(guess->shown_rows().size() == 60);
}

TEST_CASE("node perturbation of blocks: the change of each sample's loss times its noise, by passes of its own") {
  for (const bool two_sided : {false, true})
    for (const bool exact_output : {true, false})
      for (const char* text : {kNet, kNormed}) {
        Bench bench(network(text));
        const auto rule = bench.make("node_perturbation", nullptr,
                                     {{"two_sided", two_sided}, {"exact_output", exact_output}, {"sigma", 0.05}});
        const auto found = signals(bench, *rule);
        auto moves = still(bench.net);
        for (Index b = 0; b < bench.net.layers(); ++b)
          if (!exact_output || b < bench.net.hidden_layers()) moves[std::size_t(b)] = noise_rows(bench, b);
        const auto up = moved_losses(bench, 0.05f, moves), down = moved_losses(bench, two_sided ? -0.05f : 0.0f, moves);
        INFO(text << (two_sided ? ", two-sided" : "") << (exact_output ? "" : ", output too"));
        for (Index b = 0; b < bench.net.hidden_layers(); ++b)
          for (Index r = 0; r < 12; ++r) {
            const auto u = std::as_const(moves[std::size_t(b)]).row(r);
            const double change = (up[std::size_t(r)] - down[std::size_t(r)]) / (two_sided ? 0.1 : 0.05);
            CHECK(inner(found[std::size_t(b)].row(r), u) / inner(u, u) == Approx(change).margin(2e-4));
          }
      }
}

TEST_CASE("a convolution in double precision: node perturbation of its first block by hand") {
  Bench bench(network(kNet));
  const auto found = signals(bench, *bench.make("node_perturbation", nullptr, {{"sigma", 0.1}}));
  const auto loss = [&](Index r, double sigma) {
    const auto parameters = std::as_const(bench.net).parameters();
    const auto stir = [&](Image& h, Index b) {
      const auto xi = noise(b, std::uint64_t(r), h.values.size());
      h.values = tanh_of(h.values);
      for (std::size_t i = 0; i < xi.size(); ++i) h.values[i] += sigma * double(xi[i]);
    };
    Image h = convolved({6, 1, row_of(bench.x.row(r))}, parameters, 3, 1, true);
    stir(h, 0);
    Image g = convolved(h, parameters.subspan(std::size_t(bench.net.offset(1))), 4, 2, true);
    stir(g, 1);
    return cross_entropy(affine(parameters.subspan(std::size_t(bench.net.offset(2))), g.values, 5), label(bench, r));
  };
  for (Index r = 0; r < 12; ++r)
    check_near(found[0].row(r), noise(0, std::uint64_t(r), 108), (loss(r, 0.1) - loss(r, 0)) / 0.1, 1e-3);
}

TEST_CASE("forward gradient and node perturbation of blocks average to the exact signals, with the variance of noise") {
  // Null: the means are the theory's. Each |z| < 3.9 (alpha 1e-4, two-sided), seed 1, n = 300 steps x 12 samples.
  struct Mean {
    double sum = 0, squares = 0, n = 0;
    void add(double v) { sum += v, squares += v * v, ++n; }
    double z(double expected) const {
      const double mean = sum / n;
      return (mean - expected) / std::sqrt((squares / n - mean * mean) / n);
    }
  };
  Bench bench(network(kNet));
  const auto exact = signals(bench, *bench.make("bp", nullptr));
  const std::tuple<const char*, Settings> rules[] = {
      {"forward_gradient", {{"guess", "gaussian"}}},
      {"forward_gradient", {{"guess", "rademacher"}}},
      {"node_perturbation", {}},
      {"node_perturbation", {{"two_sided", true}}},
  };
  for (const auto& [name, settings] : rules) {
    const auto rule = bench.make(name, nullptr, settings);
    const bool all_at_once = name == std::string("node_perturbation"),
               signs = settings.contains("guess") && std::get<std::string>(settings.at("guess")) == "rademacher";
    Mean along[2], square[2];
    for (std::uint64_t step = 0; step < 300; ++step) {
      bench.gradient(*rule, step);
      for (Index r = 0; r < 12; ++r) {
        const double norms[2] = {inner(exact[0].row(r), exact[0].row(r)), inner(exact[1].row(r), exact[1].row(r))};
        for (std::size_t b = 0; b < 2; ++b) {
          const auto d = rule->teaching_signal(Index(b)).row(r);
          along[b].add(inner(d, exact[b].row(r)) / norms[b]);
          // E |<t, u> u_b|^2 = d_b |t|^2 + 2 |t_b|^2 for normal u, d_b |t|^2 for +-1, t over all blocks that move
          const double t = all_at_once ? norms[0] + norms[1] : norms[b];
          square[b].add(inner(d, d) / (double(d.size()) * t + (signs ? 0 : 2 * norms[b])));
        }
      }
    }
    for (std::size_t b = 0; b < 2; ++b) {
      INFO(name << ", block " << b << ": " << along[b].z(1) << ", " << square[b].z(1));
      CHECK(std::fabs(along[b].z(1)) < 3.9);
      CHECK(std::fabs(square[b].z(1)) < 3.9);
    }
  }
}

TEST_CASE(
    "moved blocks: passes made again, other threads, other objects give the same bits, and as many passes as "
    "declared") {
  const std::tuple<const char*, Settings> rules[] = {
      {"forward_gradient", {}},
      {"forward_gradient", {{"guess", "ntk"}, {"directions", std::int64_t{2}}}},
      {"forward_gradient", {{"guess", "gaussian"}, {"target", "local"}}},
      {"node_perturbation", {{"two_sided", true}, {"directions", std::int64_t{2}}}},
      {"node_perturbation", {{"exact_output", false}}},
  };
  for (const auto& [name, settings] : rules) {
    Bench bench(network(kNormed));
    const bool may_again = !settings.contains("target");
    Settings lean = settings;
    if (may_again) lean["recompute"] = true;
    const auto kept = bench.make(name, nullptr, settings), again = bench.make(name, nullptr, lean);
    INFO(name << ", " << settings.size() << " settings");
    for (std::uint64_t step = 0; step < 2; ++step) {
      set_threads(1);
      const std::vector<float> g = bench.gradient(*kept, step);
      set_threads(2);
      CHECK(bench.gradient(*again, step) == g);
      CHECK(again->loss() == kept->loss());
      CHECK(std::ranges::equal(again->own().gradient, kept->own().gradient));
      CHECK(std::ranges::equal(again->learned_state(), kept->learned_state()));
    }
    Activations whole;
    forward(bench.net, bench.x, whole, {.training = true, .seed = 1, .first_sample = 12});
    Network learned = bench.net;
    learn_state(learned, whole);
    CHECK(std::ranges::equal(kept->learned_state(), learned.state()));
    for (const Rule* rule : {kept.get(), again.get()}) {
      CHECK(rule->touched().passes == rule->declared(bench.net, 12).passes);
      CHECK(rule->declared(bench.net, 12).passes >= 4 * 12);
    }
    CHECK((again->touched().passes > kept->touched().passes) == may_again);
  }
}

TEST_CASE("moved blocks refuse what they cannot do, and say what to do instead") {
  Bench bench(network(kNet));
  CHECK_THROWS_WITH(bench.make("forward_gradient", nullptr, {{"space", "weights"}, {"guess", "gaussian"}}),
                    Catch::Contains("rule.space") && Catch::Contains("spsa"));
  CHECK_THROWS_WITH(bench.make("forward_gradient", nullptr, {{"target", "local"}, {"recompute", true}}),
                    Catch::Contains("rule.recompute"));
  CHECK_THROWS_AS(bench.make("forward_gradient", nullptr, {{"directions", std::int64_t{2}}}), InvalidParameter);
  CHECK_THROWS_WITH(bench.make("forward_gradient", nullptr, {{"difference", 0.2}}), Catch::Contains("rule.difference"));
  Bench tokens = token_bench("dense 40, tanh | embedding 3 8 | dense classes");
  CHECK_THROWS_WITH(tokens.make("forward_gradient", nullptr), Catch::Contains("one by one"));
  const std::pair<std::int32_t, std::int32_t> edges[] = {{0, 1}};
  const auto graph = std::make_shared<const Graph>(undirected_graph(12, edges));
  Bench nodes(Network(parse_model("4 | gcn 6, tanh | gcn 5", {{}, 5, graph})));
  for (const char* name : {"forward_gradient", "node_perturbation"})
    CHECK_THROWS_WITH(nodes.make(name, nullptr), Catch::Contains("graph"));
  CHECK_NOTHROW(nodes.make("forward_gradient", nullptr, {{"target", "local"}}));
}
