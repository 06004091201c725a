// Decomposition into a mesh against the same N (N - 1) / 2 rotations of two contiguous rows of N complex numbers, both
// timed in turn; reported is the median of their ratio (goal <= 3 for Clements).
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>

#include "core/mesh.hpp"
#include "core/random_unitary_for_tests.hpp"

using namespace lightloop;

namespace {

template <class F>
double own_seconds(F f) {
  const auto now = [] {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  };
  const double start = now();
  f();
  return now() - start;
}

double median(std::vector<double> x) {
  std::nth_element(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2), x.end());
  return x[x.size() / 2];
}

void decomposition(benchmark::State& state) {
  const Index n = state.range(0);
  const MeshLayout layout = state.range(1) != 0 ? MeshLayout::reck : MeshLayout::clements;
  const Matrix<Complex> u = haar_unitary(n, 1);
  Matrix<Complex> rows = u;
  const Complex2x2 m = mesh_element_matrix(1, 2);
  const auto channels = mesh_channels(layout, n);
  std::vector<double> ratios, times;
  for (auto _ : state) {
    const double rotations = own_seconds([&] {
      for (const Index c : channels) rotate_rows(m, &rows(c, 0), &rows(c + 1, 0), n);
    });
    benchmark::DoNotOptimize(rows.data());
    const double ours = own_seconds([&] { benchmark::DoNotOptimize(decompose(layout, u).elements.data()); });
    ratios.push_back(ours / rotations);
    times.push_back(ours);
  }
  state.counters["vs_rotations"] = median(ratios);
  state.counters["ms"] = 1e3 * median(times);
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
