#include "training/echo_state.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/vector_math.hpp"
#include "training/metrics/eigen.hpp"  // and, with it, the intrinsics

namespace lightloop {
namespace {

constexpr Index kLanes = 16;    // nodes whose sums run side by side
constexpr Index kWindow = 32;   // nodes that two registers hold
constexpr Index kKrylov = 200;  // vectors of the Arnoldi iteration

Stream stream(std::uint64_t seed, std::uint64_t part) { return {seed, part, Purpose::echo_state}; }

void in_range(const char* name, double value, double low, double high) {
  if (!(value >= low && value <= high))
    throw OutOfRange(std::string("echo-state network: ") + name, std::to_string(value),
                     std::to_string(low) + " to " + std::to_string(high));
}

}  // namespace

EchoState::EchoState(const EchoStateSettings& settings) : settings_(settings) {
  const Index n = settings_.nodes;
  in_range("nodes", static_cast<double>(n), 1, 1e6);
  in_range("inputs", static_cast<double>(settings_.inputs), 1, 1e6);
  in_range("spectral_radius", settings_.spectral_radius, 0, 1e3);
  in_range("input_scaling", settings_.input_scaling, 0, 1e6);
  in_range("bias_scaling", settings_.bias_scaling, 0, 1e6);
  in_range("leak", settings_.leak, 1e-9, 1);
  in_range("connectivity", settings_.connectivity, 0, 1);
  sources_ = std::clamp<Index>(std::llround(settings_.connectivity * static_cast<double>(n)), 1, n);
  groups_ = (n + kLanes - 1) / kLanes;
  const auto padded = static_cast<std::size_t>((n + kWindow - 1) / kWindow * kWindow);
  input_.assign(padded * static_cast<std::size_t>(settings_.inputs), 0.0f);
  bias_.assign(padded, 0.0f);
  x_.assign(padded, 0.0f);
  sum_ = activation_ = x_;
  choose_sources();
  std::vector<float> draws(static_cast<std::size_t>(std::max(sources_, n)));
  const std::span<float> some(draws.data(), static_cast<std::size_t>(sources_));
  for (Index i = 0; i < n; ++i) {
    stream(settings_.seed, 2).uniform(static_cast<std::uint64_t>(i), 0, some);
    for (Index j = 0; j < sources_; ++j)
      weights_[static_cast<std::size_t>((i / kLanes * sources_ + j) * kLanes + i % kLanes)] =
          2 * some[static_cast<std::size_t>(j)] - 1;
  }
  const std::span<float> all(draws.data(), static_cast<std::size_t>(n));
  const auto fill = [&](std::uint64_t part, Index row, double scale, float* out) {
    stream(settings_.seed, part).uniform(static_cast<std::uint64_t>(row), 0, all);
    for (Index i = 0; i < n; ++i)
      out[i] = static_cast<float>(scale * (2 * static_cast<double>(all[static_cast<std::size_t>(i)]) - 1));
  };
  for (Index k = 0; k < settings_.inputs; ++k)
    fill(3, k, settings_.input_scaling, input_.data() + static_cast<std::size_t>(k) * padded);
  fill(4, 0, settings_.bias_scaling, bias_.data());
  const double found = radius();
  const auto scale = static_cast<float>(found > 0 ? settings_.spectral_radius / found : 0.0);
  for (float& w : weights_) w *= scale;
}

void EchoState::choose_sources() {
  const Index n = settings_.nodes, windows = (n + kWindow - 1) / kWindow;
  const auto slots = static_cast<std::size_t>(groups_ * sources_);
  window_.resize(slots);
  pick_.assign(slots * kLanes, 0);
  weights_.assign(slots * kLanes, 0.0f);
  const auto size = [&](Index w) { return std::min(kWindow, n - w * kWindow); };
  std::vector<std::uint32_t> order(static_cast<std::size_t>(windows)), places(kWindow);
  std::vector<Index> taken(order.size());
  for (Index g = 0; g < groups_; ++g) {
    // Round by round through the windows in random order, past the full ones.
    stream(settings_.seed, 0).permutation(static_cast<std::uint64_t>(g), order);
    std::ranges::fill(taken, 0);
    for (Index left = sources_; left > 0;)
      for (const std::uint32_t w : order)
        if (left > 0 && taken[w] < size(static_cast<Index>(w))) ++taken[w], --left;
    for (Index w = 0, slot = g * sources_; w < windows; slot += taken[static_cast<std::size_t>(w++)])
      for (Index lane = 0; lane < kLanes; ++lane) {
        const auto node = static_cast<std::uint64_t>(g * kLanes + lane);
        const auto count = static_cast<std::size_t>(taken[static_cast<std::size_t>(w)]);
        const std::span<std::uint32_t> own(places.data(), static_cast<std::size_t>(size(w)));
        stream(settings_.seed, 1)
            .permutation(node * static_cast<std::uint64_t>(windows) + static_cast<std::uint64_t>(w), own);
        for (std::size_t j = 0; j < count; ++j) {
          const std::size_t at = static_cast<std::size_t>(slot) + j;
          window_[at] = static_cast<std::uint32_t>(w * kWindow);
          pick_[at * kLanes + static_cast<std::size_t>(lane)] = static_cast<std::uint8_t>(own[j]);
        }
      }
  }
}

void EchoState::product(const float* x, float* sum) const {
  const float* w = weights_.data();
  const std::uint8_t* pick = pick_.data();
  const std::uint32_t* window = window_.data();
  for (Index g = 0; g < groups_; ++g) {
#ifdef __AVX512F__
    __m512 lanes[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    for (Index j = 0; j < sources_; ++j, w += kLanes, pick += kLanes, ++window) {
      const __m512i places = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(pick)));
      const __m512 low = _mm512_loadu_ps(x + *window), high = _mm512_loadu_ps(x + *window + kLanes);
      const __m512 from = _mm512_permutex2var_ps(low, places, high);
      lanes[j % 2] = _mm512_fmadd_ps(_mm512_loadu_ps(w), from, lanes[j % 2]);
    }
    _mm512_storeu_ps(sum + g * kLanes, _mm512_add_ps(lanes[0], lanes[1]));
#else
    float lanes[2][kLanes] = {};
    for (Index j = 0; j < sources_; ++j, w += kLanes, pick += kLanes, ++window)
      for (Index l = 0; l < kLanes; ++l) lanes[j % 2][l] += w[l] * x[*window + pick[l]];
    for (Index l = 0; l < kLanes; ++l) sum[g * kLanes + l] = lanes[0][l] + lanes[1][l];
#endif
  }
}

double EchoState::radius() const {
  const Index n = settings_.nodes, size = std::min(n, kKrylov);
  const Index padded = static_cast<Index>(x_.size());
  Eigen::MatrixXf v = Eigen::MatrixXf::Zero(padded, size + 1);
  eigen::Columns h = eigen::Columns::Zero(size, size);
  stream(settings_.seed, 5).normal(0, 0, std::span<float>(v.data(), static_cast<std::size_t>(n)));
  v.col(0).normalize();
  Index used = size;
  for (Index k = 0; k < size; ++k) {
    Eigen::VectorXf next(padded);
    product(v.col(k).data(), next.data());
    next.tail(padded - n).setZero();
    for (int twice = 0; twice < 2; ++twice) {  // a second pass keeps the basis orthogonal to rounding
      const Eigen::VectorXf part = v.leftCols(k + 1).transpose() * next;
      next -= v.leftCols(k + 1) * part;
      h.col(k).head(k + 1) += part.cast<double>();
    }
    const double length = static_cast<double>(next.norm());
    if (length < 1e-6 * h.col(k).norm() + 1e-30) {
      used = k + 1;
      break;
    }
    if (k + 1 < size) h(k + 1, k) = length;
    v.col(k + 1) = next / static_cast<float>(length);
  }
  return eigen::spectral_radius(h.topLeftCorner(used, used));
}

void EchoState::reset() { std::ranges::fill(x_, 0.0f); }

void EchoState::set_state(std::span<const float> state) {
  if (static_cast<Index>(state.size()) != settings_.nodes)
    throw ShapeMismatch("state", std::to_string(state.size()), std::to_string(settings_.nodes) + " nodes");
  std::ranges::copy(state, x_.begin());
}

void EchoState::run(View<const double> u, View<float> states) {
  check_run(*this, u, states);
  const std::size_t padded = x_.size(), n = static_cast<std::size_t>(settings_.nodes);
  const auto leak = static_cast<float>(settings_.leak), keep = 1 - leak;
  for (Index t = 0; t < u.rows(); ++t) {
    product(x_.data(), sum_.data());
    for (std::size_t i = 0; i < padded; ++i) sum_[i] += bias_[i];
    for (Index k = 0; k < settings_.inputs; ++k) {
      const auto value = static_cast<float>(u(t, k));
      const float* in = input_.data() + static_cast<std::size_t>(k) * padded;
      for (std::size_t i = 0; i < padded; ++i) sum_[i] += value * in[i];
    }
    vector_tanh(sum_, activation_);
    for (std::size_t i = 0; i < n; ++i) x_[i] = keep * x_[i] + leak * activation_[i];
    std::copy_n(x_.data(), n, states.row(t).data());
  }
}

Matrix<float> EchoState::recurrent() const {
  Matrix<float> w(settings_.nodes, settings_.nodes);
  for (Index i = 0; i < settings_.nodes; ++i)
    for (Index j = 0; j < sources_; ++j) {
      const auto slot = static_cast<std::size_t>(i / kLanes * sources_ + j),
                 at = slot * kLanes + static_cast<std::size_t>(i % kLanes);
      w(i, static_cast<Index>(window_[slot]) + pick_[at]) = weights_[at];
    }
  return w;
}

Matrix<float> EchoState::input() const {
  Matrix<float> w(settings_.nodes, settings_.inputs);
  for (Index k = 0; k < settings_.inputs; ++k)
    for (Index i = 0; i < settings_.nodes; ++i)
      w(i, k) = input_[static_cast<std::size_t>(k) * x_.size() + static_cast<std::size_t>(i)];
  return w;
}

}  // namespace lightloop
