// The ranges of a layer's inputs and answers, and how running ones follow them.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/threads.hpp"
#include "driver/api/answer.hpp"
#include "driver/layer/state.hpp"

namespace lightloop {

void LayerState::find_laws() {
  const RangeLaw law{params.integer("range_rows"), params.real("range_percentile"), params.real("memory")};
  const std::string &inputs = params.text("noise_management"), &answers = params.text("output_range");
  if (inputs == "running") input_law = law;
  if (answers == "running") output_law = law;
  output_law.headroom = kHeadroom;
  if (answers == "running" && law.rows == 0)
    throw InvalidParameter("layer.range_rows", "0 with layer.output_range = running",
                           "1 or more: the ADC has one range for all answers of a window",
                           "Give layer.range_rows=256, for example.");
  if (law.rows > 0 && inputs != "running" && answers != "running")
    throw InvalidParameter(
        "layer.range_rows",
        std::to_string(law.rows) + " with layer.noise_management = " + inputs + ", layer.output_range = " + answers,
        "0: neither range is running", "Give layer.noise_management=running, layer.output_range=running or both.");
  if (law.rows == 0 && law.percentile < 100)
    throw InvalidParameter("layer.range_percentile", std::to_string(law.percentile) + " with layer.range_rows = 0",
                           "100: windows alone have percentiles", "Give layer.range_rows=256, for example.");
}

double LayerState::row_range(double largest_x) const {
  const std::string& kind = params.text("noise_management");
  if (kind == "fixed") return params.real("input_range");
  const bool unset = input_law.rows > 0 && input.range == 0;  // no window was full yet
  return kind == "abs_max" || unset ? largest_x : input.range;
}

void LayerState::count_sizes(View<const float> x, std::vector<float>& counted) const {
  counted.resize(input_law.rows > 0 && !hold_ranges ? static_cast<std::size_t>(x.rows()) : 0);
  parallel_for(static_cast<Index>(counted.size()), [&](Index r) {
    counted[static_cast<std::size_t>(r)] =
        input_law.percentile == 100 ? largest_size(x.row(r)) : percentile_size(x.row(r), input_law.percentile);
  });
}

void LayerState::follow(RangeWindow& from, std::span<const float> largest_x, std::span<const float> counted,
                        std::span<double> ranges) const {
  const bool running = params.text("noise_management") == "running";
  const double memory = params.real("memory");
  for (std::size_t r = 0; r < ranges.size(); ++r) {
    const auto most = static_cast<double>(largest_x[r]);
    if (!running) {
      ranges[r] = row_range(most);
    } else if (input_law.rows == 0) {
      ranges[r] = from.range = memory * from.range + (1 - memory) * most;
    } else {
      ranges[r] = from.range > 0 ? from.range : most;
      if (!counted.empty()) from.add(static_cast<double>(counted[r]), input_law);
    }
  }
}

std::vector<double> LayerState::row_ranges(View<const float> x) const {
  std::vector<double> ranges(static_cast<std::size_t>(x.rows()));
  std::vector<float> most(ranges.size()), counted;
  for (Index r = 0; r < x.rows(); ++r) most[static_cast<std::size_t>(r)] = largest_size(x.row(r));
  count_sizes(x, counted);
  RangeWindow from = began;
  follow(from, most, counted, ranges);
  return ranges;
}

float LayerState::answer_size(const Answer& answer) const {
  const std::uint32_t highest = session.info().output.highest();
  const auto size = [&](Index i) {  // at an end of the ADC: the range at least
    const std::uint32_t code = answer.out.at(answer.at, i);
    const double z = code == 0 || code == highest ? range : std::abs(device_unit(code));
    return static_cast<float>(answer.weaker * z);
  };
  thread_local std::vector<float> all;
  all.resize(static_cast<std::size_t>(device_rows));
  for (Index i = 0; i < device_rows; ++i) all[static_cast<std::size_t>(i)] = size(i);
  return output_law.percentile == 100 ? largest_size(all) : percentile_size(all, output_law.percentile);
}

void LayerState::follow_answers(Index count) {
  bool moved = false;
  for (Index r = 0; r < count; ++r)
    moved = output.add(static_cast<double>(answer_sizes[static_cast<std::size_t>(r)]), output_law) || moved;
  if (moved) set_range(output.range, 1);
}

void LayerState::answer_by_windows(View<const float> x, View<float> y) {
  for (Index r = 0; r < x.rows(); ++r) check_finite(r, largest_size(x.row(r)));
  const RangeWindow input_before = input, output_before = output;
  const double base = base_range;
  const std::uint64_t id = session.next_frame_id();
  try {
    Index first = 0;
    do {
      const Index count = std::min(x.rows() - first, output_law.rows - output.rows);
      answer(x.rows(first, count), y.rows(first, count));
      first += count;
    } while (first < x.rows());
  } catch (...) {
    input = input_before;
    output = output_before;
    try {
      session.continue_at(id);
      set_range(base, 1);
    } catch (const Error&) {  // of a device that has failed for the reason that is told
      base_range = range;
    }
    throw;
  }
}

void LayerState::report_ranges() {
  report.input_range = params.text("noise_management") == "running" ? input.range : 0;
  report.output_range = output_law.rows > 0 ? range : 0;
}

void Layer::hold_ranges(bool hold) { state_->hold_ranges = hold; }

void Layer::set_input_range(double range) {
  LayerState& s = *state_;
  const std::string& kind = s.params.text("noise_management");
  if (kind != "learned" && kind != "running")
    throw Unsupported("layer: set_input_range()", "layer.noise_management = " + kind, "learned or running");
  if (!(kind == "learned" ? range > 0 : range >= 0) || !std::isfinite(range))
    throw OutOfRange("layer: input range", std::to_string(range),
                     kind == "learned" ? "a finite number above 0" : "a finite number, 0 or more");
  s.input = s.began = {range};
}

std::vector<double> Layer::input_state() const {
  const LayerState& s = *state_;
  if (s.input_law.rows == 0) return {input_range()};
  return {s.input.range, static_cast<double>(s.input.rows), s.input.largest};
}

void Layer::set_input_state(std::span<const double> state) {
  LayerState& s = *state_;
  const std::size_t needed = s.input_law.rows == 0 ? 1 : 3;
  if (state.size() != needed)
    throw ShapeMismatch("layer: state of the input range", std::to_string(state.size()) + " numbers",
                        std::to_string(needed));
  if (needed == 1) return set_input_range(state[0]);
  const double rows = state[1];
  if (!(rows >= 0 && rows < static_cast<double>(s.input_law.rows) && rows == std::floor(rows)))
    throw OutOfRange("layer: rows of the open window", std::to_string(rows),
                     "a whole number from 0 to " + std::to_string(s.input_law.rows - 1),
                     "States belong to layers of the same layer.range_rows.");
  if (!(state[2] >= 0) || !std::isfinite(state[2]))
    throw OutOfRange("layer: largest size in the open window", std::to_string(state[2]), "a finite number, 0 or more");
  set_input_range(state[0]);
  s.input.rows = static_cast<Index>(rows);
  s.input.largest = state[2];
  s.began = s.input;
}

double Layer::output_range() const { return state_->range; }
double Layer::input_range() const { return state_->row_range(0); }

}  // namespace lightloop
