#include "devices/symbol_filter.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/threads.hpp"
#include "core/units.hpp"
#include "sim/detection/photoreceiver.hpp"

namespace lightloop {
namespace {
constexpr double kMostFrames = 256;  // assumed: a receiver that is slower reads no symbols
}

std::vector<double> SymbolFilter::taps(const ParamSet& params, const std::string& model) {
  const int order = static_cast<int>(params.integer("detector.order"));
  if (order == 0) return {1.0};
  const double cutoff = params.real("detector.bandwidth_hz"), rate = params.real("symbol_rate_hz");
  if (const double frames = symbols_to_settle(order, cutoff, 1 / rate); frames > kMostFrames)
    throw OutOfRange(model + ": detector.bandwidth_hz", format_quantity(cutoff, "Hz"),
                     "with detector.order = " + std::to_string(order) +
                         " and symbol_rate_hz = " + format_quantity(rate, "Hz") + " at least " +
                         format_quantity(1.001 * cutoff * frames / kMostFrames, "Hz"),
                     "A slower filter needs more than 256 frames to settle: raise the bandwidth or lower the rate.");
  const std::vector<double> taps = symbol_response(order, cutoff, 1 / rate);
  if (taps[0] < *std::ranges::max_element(taps))
    throw OutOfRange(
        model + ": detector.bandwidth_hz", format_quantity(cutoff, "Hz"),
        "more, with detector.order = " + std::to_string(order) + " and symbol_rate_hz = " + format_quantity(rate, "Hz"),
        "A reading at the end of a frame would be of the one before: raise the bandwidth, or lower the "
        "order or the rate.");
  return taps;
}

void SymbolFilter::set(const std::vector<double>& taps, Index outputs) {
  taps_.assign(taps.begin(), taps.end());
  Matrix<float> past(static_cast<Index>(taps.size()) - 1, outputs);
  for (Index k = 1; k <= std::min(past.rows(), past_.rows()); ++k)
    std::ranges::copy(past_.row(past_.rows() - k), past.row(past.rows() - k).begin());
  past_ = std::move(past);
}

void SymbolFilter::apply(View<const float> x, View<float> y) {
  const Index before = past_.rows();
  parallel_for(x.rows(), [&](Index f) {
    const std::span<float> out = y.row(f);
    const auto add = [&](float tap, std::span<const float> row) {
      for (std::size_t i = 0; i < out.size(); ++i) out[i] += tap * row[i];
    };
    add(taps_[0] - 1.0f, x.row(f));
    for (Index k = 1; k <= before; ++k)
      add(taps_[static_cast<std::size_t>(k)], k <= f ? x.row(f - k) : std::as_const(past_).row(before + f - k));
  });
  remember(x);
}

void SymbolFilter::remember(View<const float> x) {
  const Index size = past_.rows(), kept = std::max<Index>(0, size - x.rows());
  next_.resize(size, past_.cols());
  for (Index r = 0; r < size; ++r) {
    const std::span<const float> row =
        r < kept ? std::as_const(past_).row(size - kept + r) : x.row(x.rows() - size + r);
    std::ranges::copy(row, next_.row(r).begin());
  }
  past_.swap(next_);
}

void SymbolFilter::rest() { std::ranges::fill(past_.flat(), 0.0f); }

}  // namespace lightloop
