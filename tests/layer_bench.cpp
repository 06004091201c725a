// The simulated crossbar and a Layer on it against the bare product of the same run: 1024 x 1024, one thread, processor
// time of the program (a session works on a thread of its own), medians of ratios. Goals: preset tile at most 1.15 at
// batch 1024, 1.2 at 64, 1.5 at 1; preset hwa at most 5 at 1024.
#include <benchmark/benchmark.h>

#include "core/linalg.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"
#include "core/timing_for_benchmarks.hpp"
#include "devices/catalogue.hpp"
#include "driver/api/registry.hpp"
#include "driver/layer/layer.hpp"

using namespace lightloop;

namespace {

constexpr Index kSize = 1024;

void analog_layer(benchmark::State& state) {
  const Index batch = state.range(0);
  Registry registry;
  add_devices(registry);
  const std::string preset = state.range(1) != 0 ? "hwa" : "tile";
  Session session(registry.open("sim:crossbar,input.size=1024,output.size=1024,preset=" + preset));
  Layer layer(session, kSize, kSize, {{"bound_management", std::string("none")}});
  Matrix<float> w(kSize, kSize), x(batch, kSize), y(batch, kSize);
  const Stream stream(1, 0, Purpose::user);
  stream.uniform(0, 0, w.flat());
  for (float& value : w.flat()) value = (2 * value - 1) / 32;
  stream.normal(1, 0, x.flat());
  layer.program(w);
  FrameBuffer in(session.info().input, batch), out(session.info().output, batch);
  for (Index r = 0; r < batch; ++r)
    for (Index j = 0; j < kSize; ++j) in.frames().set(r, j, static_cast<std::uint32_t>((r * 7 + j * 13) % 127));
  const int before = threads();
  set_threads(1);
  std::vector<double> device, whole, times;
  for (auto _ : state) {
    const auto bare = [&] { gemm(Transpose::no, Transpose::yes, 1, x, w, 0, y); };
    const double product = benchmarks::program_seconds(bare);
    device.push_back(benchmarks::program_seconds([&] { session.run(std::as_const(in).frames(), out.frames()); }) /
                     product);
    whole.push_back(benchmarks::program_seconds([&] { layer.forward(x, y); }) / product);
    times.push_back(product);
  }
  set_threads(before);
  state.counters["device_vs_gemm"] = benchmarks::median(device);
  state.counters["layer_vs_gemm"] = benchmarks::median(whole);
  state.counters["gemm_ms"] = 1e3 * benchmarks::median(times);
}

BENCHMARK(analog_layer)
    ->ArgNames({"batch", "hwa"})
    ->Args({1, 0})
    ->Args({64, 0})
    ->Args({1024, 0})
    ->Args({1, 1})
    ->Args({64, 1})
    ->Args({1024, 1});

}  // namespace
