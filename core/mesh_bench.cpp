// Decomposition into a mesh against the same N (N - 1) / 2 rotations of two contiguous rows of N complex numbers, both
// timed in turn; reported is the median of their ratio (goal <= 3 for Clements).
#include <benchmark/benchmark.h>

#include "core/mesh.hpp"
#include "core/random_unitary_for_tests.hpp"
#include "core/timing_for_benchmarks.hpp"

using namespace lightloop;

namespace {

void decomposition(benchmark::State& state) {
  const Index n = state.range(0);
  const MeshLayout layout = state.range(1) != 0 ? MeshLayout::reck : MeshLayout::clements;
  const Matrix<Complex> u = haar_unitary(n, 1);
  Matrix<Complex> rows = u;
  const Complex2x2 m = mesh_element_matrix(1, 2);
  const auto places = mesh_places(layout, n);
  std::vector<double> ratios, times;
  for (auto _ : state) {
    const double rotations = benchmarks::own_seconds([&] {
      for (const MeshPlace& p : places) rotate_rows(m, &rows(p.channel, 0), &rows(p.channel + 1, 0), n);
    });
    benchmark::DoNotOptimize(rows.data());
    const double ours =
        benchmarks::own_seconds([&] { benchmark::DoNotOptimize(decompose(layout, u).elements.data()); });
    ratios.push_back(ours / rotations);
    times.push_back(ours);
  }
  state.counters["vs_rotations"] = benchmarks::median(ratios);
  state.counters["ms"] = 1e3 * benchmarks::median(times);
}

BENCHMARK(decomposition)
    ->ArgNames({"n", "reck"})
    ->Args({64, 0})
    ->Args({256, 0})
    ->Args({512, 0})
    ->Args({64, 1})
    ->Args({256, 1})
    ->Args({512, 1});

}  // namespace
