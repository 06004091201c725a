// Samples per second of one training step, and how much of it the bare matrix products take.
#include <benchmark/benchmark.h>

#include "core/linalg.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"
#include "training/optimizer.hpp"
#include "training/rules/rule.hpp"

using namespace lightloop;

namespace {

constexpr Index kBatch = 128;

/// One step's state: 784-1024-1024-10 tanh, batch 128, Adam.
struct Step {
  Step(const std::string& name, double active) : net({784, 1024, 1024, 10}, Activation::tanh), x(kBatch, 784) {
    net.initialise(1);
    const Stream stream(2, 0, Purpose::user);
    for (Index r = 0; r < kBatch; ++r) stream.uniform(std::uint64_t(r), 0, x.row(r));
    state = optimizer_state({}, Index(net.parameters().size()));
    gradient.resize(1, Index(net.parameters().size()));
    feedback = digital_feedback(10, 1024, 1);
    ParamSet params("rule", rule(name).info.params);
    made = rule(name).make({net, 1, params, feedback.get()});
    error = Matrix<float>(kBatch, 10);
    for (Index r = 0; r < kBatch; ++r)
      for (Index c = 0; c < 10; ++c) error(r, c) = double(r) < active * kBatch ? (c == r % 10 ? -0.9f : 0.1f) : 0.01f;
  }
  void forward_pass() { forward(net, x, activations); }
  void gradient_pass() { made->gradient(net, {activations, error, labels}, gradient.flat()); }
  void update() { optimizer_step({}, state, 1e-9, gradient.flat(), net.parameters()); }
  Network net;
  Matrix<float> x, error, gradient;
  std::vector<std::uint8_t> labels = std::vector<std::uint8_t>(kBatch, 3);
  Activations activations;
  OptimizerState state;
  std::unique_ptr<Feedback> feedback;
  std::unique_ptr<Rule> made;
};

void step(benchmark::State& bench, const char* name, double active) {
  set_threads(int(bench.range(0)));
  Step s(name, active);
  s.forward_pass();
  for (auto _ : bench) {
    s.forward_pass();
    s.gradient_pass();
    s.update();
  }
  bench.SetItemsProcessed(bench.iterations() * kBatch);
}

void forward_only(benchmark::State& bench) {
  set_threads(int(bench.range(0)));
  Step s("bp", 1);
  for (auto _ : bench) s.forward_pass();
  bench.SetItemsProcessed(bench.iterations() * kBatch);
}

void update_only(benchmark::State& bench) {
  set_threads(int(bench.range(0)));
  Step s("bp", 1);
  for (auto _ : bench) s.update();
  bench.SetItemsProcessed(bench.iterations() * kBatch);
}

/// The products of a DFA step alone: three forward, three for the gradients.
void bare_products(benchmark::State& bench) {
  set_threads(int(bench.range(0)));
  Step s("dfa", 1);
  s.forward_pass();
  const auto& h = s.activations.h;
  Matrix<float> out(kBatch, 1024), delta(kBatch, 1024);
  for (auto _ : bench)
    for (Index l = 0; l < 3; ++l) {
      const View<const float> w = std::as_const(s.net).weights(l);
      const View<float> y = out.view().cols(0, w.rows());
      gemm(Transpose::no, Transpose::yes, 1, h[std::size_t(l)], w, 0, y);
      gemm(Transpose::yes, Transpose::no, 1, delta.view().cols(0, w.rows()), h[std::size_t(l)], 0,
           View<float>(s.gradient.data() + s.net.offset(l), w.rows(), w.cols()));
    }
  bench.SetItemsProcessed(bench.iterations() * kBatch);
}

}  // namespace

BENCHMARK_CAPTURE(step, bp, "bp", 1.0)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(step, dfa, "dfa", 1.0)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(step, tdfa_all_rows, "tdfa", 1.0)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(step, tdfa_a_fifth_of_the_rows, "tdfa", 0.2)
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(bare_products)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(forward_only)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(update_only)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);
