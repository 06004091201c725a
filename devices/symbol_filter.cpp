#include "devices/symbol_filter.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/threads.hpp"
#include "core/units.hpp"
#include "sim/detection/photoreceiver.hpp"

namespace lightloop {
namespace {
constexpr double kMostFrames = 256;  // assumed: a receiver that is slower reads no symbols
}

std::vector<double> SymbolFilter::taps(const ParamSet& params, const std::string& model, double frame_s) {
  const int order = static_cast<int>(params.integer("detector.order"));
  if (order == 0) return {1.0};
  const double cutoff = params.real("detector.bandwidth_hz");
  const std::string with = "with detector.order = " + std::to_string(order) + " and frames of " +
                           format_quantity(frame_s, "s"),
                    slower = params.has("symbol_rate_hz") ? ", or lower symbol_rate_hz." : ".";
  if (!(cutoff > 0))
    throw OutOfRange(model + ": detector.bandwidth_hz", format_quantity(cutoff, "Hz"), "above 0 " + with,
                     "It is the cutoff of the filter.");
  if (const double frames = symbols_to_settle(order, cutoff, frame_s); frames > kMostFrames)
    throw OutOfRange(model + ": detector.bandwidth_hz", format_quantity(cutoff, "Hz"),
                     with + " at least " + format_quantity(1.001 * cutoff * frames / kMostFrames, "Hz"),
                     "A slower filter needs more than 256 frames to settle: raise the bandwidth" + slower);
  const std::vector<double> taps = symbol_response(order, cutoff, frame_s);
  if (taps[0] < *std::ranges::max_element(taps))
    throw OutOfRange(
        model + ": detector.bandwidth_hz", format_quantity(cutoff, "Hz"), "more, " + with,
        "A reading at the end of a frame would be of the one before: raise the bandwidth, lower the order" + slower);
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

void SymbolFilter::wait(Index rows) {
  const auto gone = static_cast<std::size_t>(std::min(rows, past_.rows()) * past_.cols());
  const std::span<float> all = past_.flat();
  std::ranges::copy(all.subspan(gone), all.begin());
  std::ranges::fill(all.last(gone), 0.0f);
}

void SymbolFilter::put(ByteWriter& bytes) const {
  bytes.put(static_cast<std::int64_t>(past_.rows()));
  bytes.put_all(past_.flat());
}

Matrix<float> SymbolFilter::get(ByteReader& bytes) const {
  Matrix<float> past(past_.rows(), past_.cols());
  if (const auto rows = bytes.get<std::int64_t>(); rows != past.rows())
    bytes.refuse("receivers that remember " + std::to_string(rows) + " frames, where " + std::to_string(past.rows()) +
                 " are remembered at this bandwidth");
  bytes.get_all(past.flat());
  for (const float sum : past.flat())
    if (!std::isfinite(sum)) bytes.refuse("a sum that is not finite");
  return past;
}

void TwoEnds::set(const std::vector<double>& taps, Index outputs, Index inputs) {
  ends_[0].set(taps, outputs);
  ends_[1].set(taps, inputs);
}

SymbolFilter* TwoEnds::reading(std::size_t pass, Index frames) {
  if (!ends_[pass].remembers()) return nullptr;
  ends_[1 - pass].wait(frames);
  return &ends_[pass];
}

void TwoEnds::rest() {
  for (SymbolFilter& end : ends_) end.rest();
}

void TwoEnds::put(ByteWriter& bytes) const {
  for (const SymbolFilter& end : ends_) end.put(bytes);
}

std::array<Matrix<float>, 2> TwoEnds::get(ByteReader& bytes) const {
  return {ends_[0].get(bytes), ends_[1].get(bytes)};
}

void TwoEnds::take(std::array<Matrix<float>, 2> past) {
  for (std::size_t pass = 0; pass < 2; ++pass) ends_[pass].take(std::move(past[pass]));
}

}  // namespace lightloop
