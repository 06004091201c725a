#include "driver/api/conformance.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "driver/api/conformance_checks.hpp"

namespace lightloop {
namespace conformance {

FrameBuffer output_memory(const DeviceInfo& info, Index count, Pass pass) {
  FrameFormat format = info.output;
  if (pass == Pass::transposed) format.shape = info.input.shape;
  return FrameBuffer(format, count);
}

std::unique_ptr<Device> fresh(const Open& open, const Settings& settings) {
  std::unique_ptr<Device> device = open(settings);
  if (const auto& format = device->describe().program) device->program(open.programme(*format).frames());
  return device;
}

void need_repeatable(const DeviceInfo& info) {
  if (!info.repeatable) throw Skipped{"the device does not repeat its noise (repeatable = false)"};
}

Codes run(Device& device, ConstFrames in, const RunOptions& options, std::uint8_t fill) {
  FrameBuffer memory = output_memory(device.describe(), in.count, options.pass);
  const Frames out = memory.frames();
  if (out.count * out.size > 0) std::memset(out.data, fill, static_cast<std::size_t>(out.count * out.size * out.bytes));
  Codes codes;
  if (const Index limit = device.describe().max_batch; in.count <= limit) {
    codes.report = device.run(in, out, options);
  } else {
    for (Index done = 0; done < in.count; done += limit) {
      const Index n = std::min(limit, in.count - done);
      RunOptions part = options;
      part.first_frame_id += static_cast<std::uint64_t>(done);
      if (part.numbers != nullptr) part.numbers += done;
      const RunReport said = device.run(in.slice(done, n), out.slice(done, n), part);
      codes.report.frames += said.frames;
      codes.report.codes += said.codes;
      codes.report.saturated += said.saturated;
      codes.report.device_s += said.device_s;
      codes.report.device_j += said.device_j;
    }
  }
  codes.size = out.size;
  codes.exact = device.describe().repeatable;
  for (Index frame = 0; frame < out.count; ++frame)
    for (Index i = 0; i < out.size; ++i) codes.values.push_back(out.at(frame, i));
  return codes;
}

Index most_like(const Codes& codes, const Codes& other, Index i, Index expected) {
  const Index frames = static_cast<Index>(codes.values.size()) / codes.size;
  const auto mean = [&](const Codes& of, Index frame) {
    const auto first = of.values.begin() + frame * codes.size;
    return std::accumulate(first, first + codes.size, 0.0) / static_cast<double>(codes.size);
  };
  const auto distance = [&](Index frame) {
    const double offset = mean(codes, frame) - mean(other, i);  // the light's power may have changed in between
    double sum = 0;
    for (Index c = 0; c < codes.size; ++c)
      sum += std::abs(static_cast<double>(codes.values[static_cast<std::size_t>(frame * codes.size + c)]) -
                      static_cast<double>(other.values[static_cast<std::size_t>(i * codes.size + c)]) - offset);
    return sum;
  };
  constexpr double kClearly = 0.5;  // assumed: noise may bring another frame nearer, but not that near
  if (distance(expected) < static_cast<double>(codes.size)) return expected;  // alike but for rounding
  Index best = expected;
  for (Index frame = 0; frame < frames; ++frame)
    if (distance(frame) < kClearly * distance(expected) && distance(frame) < distance(best)) best = frame;
  return best;
}

std::string difference(const Codes& a, const Codes& b) {
  if (a.values.size() != b.values.size()) return "different numbers of codes";
  if (!a.exact || !b.exact) {
    for (Index i = 0; i * a.size < static_cast<Index>(a.values.size()); ++i)
      if (const Index like = most_like(a, b, i, i); like != i)
        return "frame " + std::to_string(i) + " is then most like frame " + std::to_string(like) +
               ": the frames are out of order or late";
    return {};
  }
  const auto [first, second] = std::ranges::mismatch(a.values, b.values);
  if (first == a.values.end()) return {};
  const Index at = first - a.values.begin();
  return "code " + std::to_string(at % a.size) + " of frame " + std::to_string(at / a.size) + " is " +
         std::to_string(*first) + " once and " + std::to_string(*second) + " then";
}

void require_equal(const Codes& a, const Codes& b, const std::string& what) {
  const std::string where = difference(a, b);
  require(where.empty(), what + ": " + where);
}

Codes run_fresh(const Open& open, const ConstFrames& in, const RunOptions& options, std::uint8_t fill) {
  return run(*fresh(open), in, options, fill);
}

void require_like_fresh(std::unique_ptr<Device> device, const Open& open, const std::string& what) {
  const FrameBuffer in = open.frames(device->describe(), kFrames);
  const Codes codes = run(*device, in.frames());
  device.reset();
  require_equal(codes, run_fresh(open, in.frames()), what + " changed later codes");
}

}  // namespace conformance

std::vector<CheckResult> check_device(const std::function<std::unique_ptr<Device>()>& open) {
  return check_device(OpenWith([&](const Settings& settings) {
    if (!settings.empty()) throw conformance::Skipped{"the device is checked with one set of settings only"};
    return open();
  }));
}

std::vector<CheckResult> check_device(const OpenWith& open) { return check_device(*candidate_of(open)); }

std::vector<CheckResult> check_device(Candidate& candidate) {
  namespace suite = conformance;
  const suite::Open open(candidate);
  std::vector<CheckResult> results;
  for (const auto& checks : {suite::description_checks(), suite::setting_checks(), suite::run_checks(),
                             suite::state_checks(), suite::session_checks()}) {
    for (const suite::Check& check : checks) {
      CheckResult result{check.name, CheckResult::Outcome::passed, {}};
      try {
        candidate.begin(check.name);
        try {
          check.run(open);
        } catch (const suite::Skipped& skipped) {
          result.outcome = CheckResult::Outcome::skipped;
          result.detail = skipped.why;
        }
        candidate.end();
      } catch (const NotAsked& reason) {
        result.outcome = CheckResult::Outcome::skipped;
        result.detail = reason.what();
      } catch (const suite::Failed& failed) {
        result.outcome = CheckResult::Outcome::failed;
        result.detail = failed.why;
      } catch (const std::exception& e) {
        result.outcome = CheckResult::Outcome::failed;
        result.detail = std::string("unexpected exception: ") + e.what();
      } catch (...) {
        result.outcome = CheckResult::Outcome::failed;
        result.detail = "something was thrown that is not a std::exception";
      }
      results.push_back(std::move(result));
    }
  }
  return results;
}

}  // namespace lightloop
