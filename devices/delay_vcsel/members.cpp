#include "devices/delay_vcsel/members.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "core/threads.hpp"

namespace lightloop::delay_vcsel {
namespace {

constexpr Index kStepsAtOnce = 32;    // noise of so many steps stays in the first cache
constexpr Index kSamplesAtOnce = 64;  // detector noise is drawn for so many samples

}  // namespace

struct Members::Frame {
  std::array<double, kSide> pump{}, injected{}, mean_x{}, mean_y{}, sum_x{}, sum_y{};
  alignas(64) std::array<float, kSide * kDeviates * kStepsAtOnce> normals;
  std::array<std::array<float, kSamplesAtOnce>, 2 * kSide> detector;
  std::uint64_t id = 0;   // of the frame
  std::uint64_t row = 0;  // of the spontaneous emission of the present sample
  bool noisy = false;
  Index clipped = 0;
};

Members::Members(const Shape& shape, Index count)
    : shape_(shape),
      lanes_(count == 1 ? 1 : vector_lanes(shape.grid)),
      block_lanes_(count == 1 ? 1 : static_cast<int>(kSide)),
      packs_(block_lanes_ / lanes_),
      operations_(static_cast<std::size_t>(count)),
      failure_(static_cast<std::size_t>(count)) {
  const Index blocks = (count + block_lanes_ - 1) / block_lanes_;
  for (Index b = 0; b < blocks; ++b) {
    for (int p = 0; p < packs_; ++p) lasers_.push_back(make_lasers(shape.grid, lanes_));
    spontaneous_.emplace_back(shape.seed, shape.instance + static_cast<std::uint64_t>(b * block_lanes_),
                              Purpose::laser_spontaneous);
  }
  for (Index m = 0; m < count; ++m)
    detector_.emplace_back(shape.seed, shape.instance + static_cast<std::uint64_t>(m), Purpose::detector_noise);
  const double highest = std::exp2(shape.dac_bits) - 1;
  for (Index code = 0; code <= static_cast<Index>(highest); ++code)
    modulator_.push_back(std::sin(std::numbers::pi / 2 * static_cast<double>(code) / highest));
}

Lasers& Members::lasers(Index member) const { return *lasers_[static_cast<std::size_t>(member / lanes_)]; }

void Members::set(Index member, const Operation& operation) {
  operations_[static_cast<std::size_t>(member)] = operation;
  lasers(member).set(lane(member), operation.laser, operation.bandwidth_hz);
}

void Members::reset(Index member) {
  lasers(member).reset(lane(member), operations_[static_cast<std::size_t>(member)].pump);
  failure_[static_cast<std::size_t>(member)].clear();
}

void Members::settle(Index steps, double injected) {
  std::array<double, kSide> pump{}, drive{}, mean_x, mean_y;
  for (Index first = 0; first < count(); first += lanes_) {
    for (Index m = first; m < std::min<Index>(first + lanes_, count()); ++m) {
      pump[static_cast<std::size_t>(m - first)] = operations_[static_cast<std::size_t>(m)].pump;
      drive[static_cast<std::size_t>(m - first)] = injected;
    }
    lasers(first).advance(steps, pump.data(), drive.data(), nullptr, 0, mean_x.data(), mean_y.data());
  }
}

/// One sample of a block: pump and injected are held, the means of the light come back in sum_x and sum_y.
void Members::advance(Index block, Frame& work) {
  work.sum_x = {};
  work.sum_y = {};
  const auto stride = static_cast<std::size_t>(block_lanes_);
  const SideBySide& source = spontaneous_[static_cast<std::size_t>(block)];
  for (Index done = 0; done < shape_.steps_per_sample; done += kStepsAtOnce) {
    const Index steps = std::min(kStepsAtOnce, shape_.steps_per_sample - done);
    const std::span<float> normals(work.normals.data(), static_cast<std::size_t>(steps) * kDeviates * stride);
    if (work.noisy && block_lanes_ == 1) source.one(work.row, normals);
    if (work.noisy && block_lanes_ > 1) source.members(work.row, normals);
    work.row += static_cast<std::uint64_t>(steps);
    for (int p = 0; p < packs_; ++p) {
      const auto at = static_cast<std::size_t>(p * lanes_);
      lasers_[static_cast<std::size_t>(block * packs_ + p)]->advance(steps, &work.pump[at], &work.injected[at],
                                                                     work.noisy ? normals.data() + at : nullptr,
                                                                     block_lanes_, &work.mean_x[at], &work.mean_y[at]);
    }
    const double weight = static_cast<double>(steps) / static_cast<double>(shape_.steps_per_sample);
    for (std::size_t i = 0; i < stride; ++i) {
      work.sum_x[i] += weight * work.mean_x[i];
      work.sum_y[i] += weight * work.mean_y[i];
    }
  }
}

void Members::run_frame(Index block, const ConstFrames& in, const Frames& out, Index frame, Frame& work) {
  const Index first = block * block_lanes_, members = std::min<Index>(block_lanes_, count() - first);
  const Index frames = in.count / count();
  const double full_scale = std::exp2(shape_.dac_bits) - 1;
  const bool both = shape_.detected == Detected::both;
  for (Index n = 0; n < shape_.samples; ++n) {
    for (Index i = 0; i < members; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const Operation& op = operations_[static_cast<std::size_t>(first + i)];
      const std::uint32_t code = in.at((first + i) * frames + frame, n);
      work.injected[at] = op.by_injection ? modulator_[code] : 0.0;
      work.pump[at] = op.by_injection ? op.pump : op.pump * (1 + op.depth * (2.0 * code / full_scale - 1));
      if (!failure_[static_cast<std::size_t>(first + i)].empty()) work.injected[at] = work.pump[at] = 0;
    }
    advance(block, work);
    if (n % kSamplesAtOnce == 0) {
      const auto ahead = static_cast<std::size_t>(std::min(kSamplesAtOnce, shape_.samples - n));
      for (Index i = 0; i < members; ++i) {
        if (!operations_[static_cast<std::size_t>(first + i)].receiver.noisy()) continue;
        const Stream& stream = detector_[static_cast<std::size_t>(first + i)];
        const auto at = static_cast<std::size_t>(2 * i);
        stream.normal(work.id, static_cast<std::uint64_t>(n), std::span(work.detector[at]).first(ahead));
        if (both)
          stream.normal(work.id, static_cast<std::uint64_t>(shape_.samples + n),
                        std::span(work.detector[at + 1]).first(ahead));
      }
    }
    for (Index i = 0; i < members; ++i) {
      const auto at = static_cast<std::size_t>(i), sample = static_cast<std::size_t>(n % kSamplesAtOnce);
      const Index member = first + i, row = member * frames + frame;
      std::string& failure = failure_[static_cast<std::size_t>(member)];
      const double x = work.sum_x[at], y = work.sum_y[at];
      if (failure.empty() && !std::isfinite(x + y)) {
        failure =
            "the laser equations diverged at sample " + std::to_string(n) + " of frame " + std::to_string(work.id);
        lasers(member).reset(lane(member), 0);
      }
      if (!failure.empty()) {
        out.set(row, n, 0);
        if (both) out.set(row, shape_.samples + n, 0);
        continue;
      }
      const Receiver& receiver = operations_[static_cast<std::size_t>(member)].receiver;
      const float xi = receiver.noisy() ? work.detector[2 * at][sample] : 0.0f;
      const double seen = shape_.detected == Detected::total ? x + y : shape_.detected == Detected::y ? y : x;
      out.set(row, n, receiver.convert(seen, xi, work.clipped));
      if (both) {
        const float other = receiver.noisy() ? work.detector[2 * at + 1][sample] : 0.0f;
        out.set(row, shape_.samples + n, receiver.convert(y, other, work.clipped));
      }
    }
  }
}

void Members::run_block(Index block, const ConstFrames& in, const Frames& out, const RunOptions& options,
                        Index& clipped) {
  Frame work;
  const Index first = block * block_lanes_, members = std::min<Index>(block_lanes_, count() - first);
  for (Index i = 0; i < members; ++i)
    work.noisy |= operations_[static_cast<std::size_t>(first + i)].laser.spontaneous > 0;
  for (Index frame = 0; frame < in.count / count(); ++frame) {
    check_deadline(options, "sim:delay_vcsel");
    work.id = options.first_frame_id + static_cast<std::uint64_t>(frame);
    work.row = work.id * static_cast<std::uint64_t>(shape_.samples * shape_.steps_per_sample);
    run_frame(block, in, out, frame, work);
  }
  clipped = work.clipped;
}

void Members::run(const ConstFrames& in, const Frames& out, const RunOptions& options, RunReport& report) {
  const Index blocks = static_cast<Index>(spontaneous_.size());
  std::vector<Index> clipped(static_cast<std::size_t>(blocks));
  parallel_for(blocks, [&](Index b) { run_block(b, in, out, options, clipped[static_cast<std::size_t>(b)]); });
  for (const Index count : clipped) report.saturated += count;
  for (Index m = 0; m < count(); ++m)
    if (!failure_[static_cast<std::size_t>(m)].empty())
      report.failures.push_back({m, failure_[static_cast<std::size_t>(m)]});
}

void Members::save(ByteWriter& bytes) const {
  for (const auto& lasers : lasers_) lasers->save(bytes);
}

void Members::load(ByteReader& bytes) {
  ByteWriter now;
  save(now);
  const auto before = now.take();
  try {
    for (const auto& lasers : lasers_) lasers->load(bytes);
    bytes.done();
  } catch (...) {
    ByteReader back(before, "delay_vcsel");
    for (const auto& lasers : lasers_) lasers->load(back);
    throw;
  }
  for (std::string& failure : failure_) failure.clear();
}

}  // namespace lightloop::delay_vcsel
