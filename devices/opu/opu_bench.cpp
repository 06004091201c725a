// The OPU against the bare matrix product it contains, in one process on one thread. Reported: the median over
// alternating runs of time(|Hx|^2) / time(gemm) (goal <= 1.25 for the ideal device and its twin), and nanoseconds per
// pixel read for small inputs, where the camera is what costs.
#include <benchmark/benchmark.h>

#include <vector>

#include "core/linalg.hpp"
#include "core/threads.hpp"
#include "core/timing_for_benchmarks.hpp"
#include "devices/catalogue.hpp"

using namespace lightloop;
using benchmarks::median, benchmarks::own_seconds;

namespace {

std::string size(Index inputs, Index pixels) {
  return "sim:opu,input.size=" + std::to_string(inputs) + ",output.size=" + std::to_string(pixels) + ",";
}

FrameBuffer patterns(const DeviceInfo& info, Index frames) {
  FrameBuffer in(info.input, frames);
  for (Index f = 0; f < frames; ++f)
    for (Index j = 0; j < info.input.size(); ++j) in.frames().set(f, j, (j * (f + 3) + f) % 5 < 2);
  return in;
}

void against_gemm(benchmark::State& state) {
  set_threads(1);
  const Index inputs = state.range(0), pixels = state.range(1), frames = 512;
  Registry registry;
  add_devices(registry);
  const auto device = registry.open(size(inputs, pixels) + "preset=ideal");
  const auto twin = registry.twin(size(inputs, pixels) + "preset=ideal");
  const FrameBuffer in = patterns(device->describe(), frames);
  FrameBuffer out(device->describe().output, frames);
  Matrix<float> x(frames, inputs), h(inputs, 2 * pixels), field(frames, 2 * pixels), y(frames, pixels);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(i % 7) - 3;
  for (Index i = 0; i < h.size(); ++i) h.data()[i] = static_cast<float>(i % 11) - 5;
  std::vector<double> device_ratio, twin_ratio;
  for (auto _ : state) {
    const double bare = own_seconds([&] { gemm(Transpose::no, Transpose::no, 1, x, h, 0, field); });
    device_ratio.push_back(own_seconds([&] { device->run(in.frames(), out.frames(), {}); }) / bare);
    twin_ratio.push_back(own_seconds([&] { twin->forward(x, y); }) / bare);
  }
  state.counters["device/gemm"] = median(device_ratio);
  state.counters["twin/gemm"] = median(twin_ratio);
}

void pixel_reads(benchmark::State& state, const std::string& settings) {
  set_threads(1);
  const Index frames = 512, pixels = 2048;
  Registry registry;
  add_devices(registry);
  const auto device = registry.open(size(24, pixels) + settings);
  const FrameBuffer in = patterns(device->describe(), frames);
  FrameBuffer out(device->describe().output, frames);
  std::vector<double> times;
  for (auto _ : state) times.push_back(own_seconds([&] { device->run(in.frames(), out.frames(), {}); }));
  state.counters["ns/read"] = 1e9 * median(times) / static_cast<double>(frames * pixels);
}

}  // namespace

BENCHMARK(against_gemm)->Args({256, 2048})->Args({1024, 2048})->Args({784, 4096})->Iterations(9);
BENCHMARK_CAPTURE(pixel_reads, ideal, "preset=ideal")->Iterations(9);
BENCHMARK_CAPTURE(pixel_reads, typical, "noise=on")->Iterations(9);
BENCHMARK_CAPTURE(pixel_reads, low_read_noise, "camera.read_noise=1.5")->Iterations(9);
BENCHMARK_CAPTURE(pixel_reads, lightonlike, "preset=lightonlike")->Iterations(9);
