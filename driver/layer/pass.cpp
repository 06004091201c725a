// One batch through the device: ranges, codes, frames, and repeats of the rows that were clipped.
#include <algorithm>
#include <bit>
#include <cmath>

#include "core/error.hpp"
#include "core/threads.hpp"
#include "driver/api/answer.hpp"
#include "driver/layer/state.hpp"

namespace lightloop {
namespace {

constexpr int kRepeatShift = 48;  // frame ids of repeats: the number of the repeat above 2^48 rows

}  // namespace

void LayerState::run(FrameBuffer& shown, FrameBuffer& answer, Index first, Index count, Pass direction) {
  const RunReport said =
      session.run(shown.frames().slice(first, count), answer.frames().slice(first, count), {.pass = direction});
  report.frames += said.frames;
  report.device_s += said.device_s;
  report.device_j += said.device_j;
  if (direction == Pass::forward)
    report.energy.add_frames(session.info().cost, said);
  else
    report.energy.add_frames(cost_of(session.info(), direction), said);
}

void LayerState::pass(View<const float> x, Pass direction, const std::function<void(const Answer&)>& sink) {
  check_written();
  const DeviceInfo& info = session.info();
  const bool forward = direction == Pass::forward;
  const Index width_in = (forward ? info.input : info.output).size();
  const Index width_out = (forward ? info.output : info.input).size();
  in.resize(info.input.bytes(), width_in, x.rows());
  out.resize(info.output.bytes(), width_out, x.rows());
  const Frames codes = in.frames();
  const double top = mid_in - 1;
  const auto rows = static_cast<std::size_t>(x.rows());
  largest.resize(rows);
  alpha.resize(rows);
  ratio.assign(rows, 0.0f);
  clipped.assign(rows, 0);
  std::vector<Index> beyond(rows);
  const auto encode = [&](Index r) {
    const auto i = static_cast<std::size_t>(r);
    if (alpha[i] > kLeastRange) ratio[i] = static_cast<float>(top / alpha[i]);
    beyond[i] = encode_row(x.row(r), ratio[i], static_cast<float>(top), static_cast<float>(mid_in), codes, r);
  };
  const bool by_row = !forward || params.text("noise_management") == "abs_max";
  parallel_for(x.rows(), [&](Index r) {  // one visit where a row knows its range: batches are larger than caches
    const auto i = static_cast<std::size_t>(r);
    largest[i] = largest_size(x.row(r));
    alpha[i] = static_cast<double>(largest[i]);
    if (by_row && std::isfinite(largest[i])) encode(r);
  });
  for (std::size_t r = 0; r < rows; ++r) check_finite(static_cast<Index>(r), largest[r]);
  const RangeWindow before = input;
  if (!by_row) {
    count_sizes(x, sizes);
    follow(input, largest, sizes, alpha);
    parallel_for(x.rows(), encode);
  }
  const std::uint64_t base = session.next_frame_id();
  try {
    run(in, out, 0, x.rows(), direction);
  } catch (...) {
    input = before;
    throw;
  }
  const bool manage = most_repeats() > 0;
  const Index used = forward ? device_rows : n_in;
  const ConstFrames shown = std::as_const(in).frames(), answers = std::as_const(out).frames();
  std::vector<Index> ends(rows);
  parallel_for(x.rows(), [&](Index r) {
    const auto i = static_cast<std::size_t>(r);
    ends[i] = codes_at_ends(answers, r, used, info.output.highest());
    clipped[i] = manage && ends[i] > 0 && repeat_factor(1, x.row(r), alpha[i]) > 1;
    if (!clipped[i]) sink({r, r, shown, answers, alpha[i] * mid_in / top});
  });
  for (std::size_t i = 0; i < rows; ++i) {
    report.clipped_inputs += beyond[i];
    if (!clipped[i]) report.saturated += ends[i];
  }
  report.vectors += x.rows();
  report.macs += static_cast<double>(x.rows()) * static_cast<double>(n_in) * static_cast<double>(n_out);
  if (std::ranges::find(clipped, 1) == clipped.end()) return;
  const std::uint64_t next = base + static_cast<std::uint64_t>(x.rows());
  try {
    repeat(x, direction, sink, base);
  } catch (...) {
    session.continue_at(next);
    throw;
  }
  session.continue_at(next);
}

std::int64_t LayerState::most_repeats() const {
  const std::string& kind = params.text("bound_management");
  const std::int64_t most = params.integer("max_repeats");
  if (kind == "none" || (adc_levels == 0 ? 2 * mid_out : static_cast<double>(adc_levels)) < kLeastLevels) return 0;
  return kind == "worst_case" ? std::min<std::int64_t>(most, 1) : most;
}

double LayerState::repeat_factor(std::int64_t k, std::span<const float> x, double range_of_x) const {
  if (k == 0 || range_of_x <= kLeastRange) return 1;
  const double full = (mid_in - 1) * std::min(1.0, static_cast<double>(largest_size(x)) / range_of_x);
  if (std::rint(full) < faintest) return 1;
  if (params.text("bound_management") == "worst_case") return std::max(1.0, full / sure_code(x, range_of_x, full));
  double factor = std::ldexp(1.0, static_cast<int>(k));
  while (factor > 1 && std::rint(full / factor) < faintest) factor /= 2;
  return factor;
}

double LayerState::sure_code(std::span<const float> x, double range_of_x, double full) const {
  const auto norm = [&](double largest_code) {
    double sum = 0;
    for (const float value : x) {
      const double v = std::min(1.0, std::abs(static_cast<double>(value)) / range_of_x);
      const double code = driven(v * (mid_in - 1) / full * largest_code);
      sum += code * code;
    }
    return std::sqrt(sum);
  };
  const double inside = adc_levels == 0 ? 1 - 1.5 / mid_out : 1 - 1 / static_cast<double>(adc_levels - 1);
  const double more = std::max(1.0, *std::ranges::max_element(gain));  // than the programme promises
  const auto [least, most_offset] = std::ranges::minmax(offset);
  const double room = (inside * range - std::max({0.0, -least, most_offset})) / more * mid_in, any = room / largest_sum;
  const double most = std::floor(std::max(any, full * room / (largest_norm * norm(full))));
  double code = std::max(faintest, std::min(most, std::floor(full / 2)));
  while (code > faintest && driven(code) > any && largest_norm * norm(code) > room) --code;  // rounding made it longer
  return code;
}

void LayerState::repeat(View<const float> x, Pass direction, const std::function<void(const Answer&)>& sink,
                        std::uint64_t base) {
  const DeviceInfo& info = session.info();
  const std::int64_t most = most_repeats();
  const double top = mid_in - 1;
  for (std::int64_t k = 1; k <= most; ++k) {
    std::vector<Index> rows;
    for (Index r = 0; r < x.rows(); ++r)
      if (clipped[static_cast<std::size_t>(r)]) rows.push_back(r);
    if (rows.empty()) return;
    const auto count = static_cast<Index>(rows.size());
    const bool forward = direction == Pass::forward;
    again_in.resize(info.input.bytes(), (forward ? info.input : info.output).size(), count);
    again_out.resize(info.output.bytes(), (forward ? info.output : info.input).size(), count);
    std::vector<double> factor;
    for (Index i = 0; i < count; ++i) {
      const auto r = static_cast<std::size_t>(rows[static_cast<std::size_t>(i)]);
      const std::span<const float> again = x.row(static_cast<Index>(r));
      factor.push_back(repeat_factor(k, again, alpha[r]));
      // what was clipped at full drive is so at less
      encode_row(again, ratio[r] / static_cast<float>(factor.back()),
                 static_cast<float>(std::rint(top / factor.back())), static_cast<float>(mid_in), again_in.frames(), i);
    }
    for (Index i = 0; i < count;) {  // neighbours in one call, so that ids stay those of the rows
      const Index row = rows[static_cast<std::size_t>(i)];
      Index n = 1;
      while (i + n < count && rows[static_cast<std::size_t>(i + n)] == row + n) ++n;
      session.continue_at(base + static_cast<std::uint64_t>(row) + (static_cast<std::uint64_t>(k) << kRepeatShift));
      run(again_in, again_out, i, n, direction);
      i += n;
    }
    const Index used = forward ? device_rows : n_in;
    const ConstFrames shown = std::as_const(again_in).frames(), answers = std::as_const(again_out).frames();
    for (Index i = 0; i < count; ++i) {
      const Index row = rows[static_cast<std::size_t>(i)];
      const auto r = static_cast<std::size_t>(row);
      const double now = factor[static_cast<std::size_t>(i)];
      const Index ends = codes_at_ends(answers, i, used, info.output.highest());
      const bool last = k == most || repeat_factor(k + 1, x.row(row), alpha[r]) == now;
      if (ends > 0 && !last) continue;
      clipped[r] = 0;
      report.saturated += ends;
      sink({row, i, shown, answers, alpha[r] * now * mid_in / top, now});
    }
  }
}

}  // namespace lightloop
