// Conformance: frames in, frames out; what is refused, and on what the answer may depend.
#include <algorithm>
#include <cstring>

#include "core/threads.hpp"
#include "driver/api/conformance_checks.hpp"
#include "driver/api/session.hpp"

namespace lightloop::conformance {
namespace {

void in_range(const Open& open) {
  const auto device = fresh(open);
  const DeviceInfo& info = device->describe();
  const auto show = [&](const FrameBuffer& in) {
    const Codes codes = run(*device, in.frames(), {}, 0xFF);
    for (const std::uint32_t code : codes.values)
      require(code <= info.output.highest(), "a code of " + std::to_string(code) + " from " +
                                                 std::to_string(info.output.bits) +
                                                 " bits (or one that was not written)");
  };
  FrameBuffer in = open.frames(info, kFrames);
  show(in);
  for (Index i = 0; i < info.input.size(); ++i) {  // the extreme frames too: all 0 and all highest
    in.frames().set(0, i, 0);
    in.frames().set(1, i, info.input.highest());
  }
  show(in);
}

void answers(const Open& open) {
  const auto device = fresh(open);
  const FrameBuffer in = open.frames(device->describe(), 32);
  const ConstFrames shown = in.frames();
  const auto bytes = static_cast<std::size_t>(shown.size * shown.bytes);
  const auto* first = static_cast<const std::byte*>(shown.data);
  if (std::memcmp(first, first + bytes, 31 * bytes) == 0) throw Skipped{"the frames to ask with are all the same"};
  const Codes codes = run(*device, shown);
  const bool constant = std::ranges::all_of(codes.values, [&](std::uint32_t code) { return code == codes.values[0]; });
  require(!constant, "32 different frames gave the code " + std::to_string(codes.values[0]) + " everywhere");
}

void wrong_shapes(const Open& open) {
  auto device = fresh(open);
  const DeviceInfo& info = device->describe();
  const auto refused = [&](const std::string& what, FrameBuffer in, FrameBuffer out) {
    LIGHTLOOP_REQUIRE_THROWS(ShapeMismatch, what, device->run(in.frames(), out.frames()));
  };
  const auto sized = [](int bytes, Index size, Index count) {
    FrameBuffer buffer;
    buffer.resize(bytes, size, count);
    std::fill_n(static_cast<std::uint8_t*>(buffer.frames().data), count * size * bytes, std::uint8_t{0});
    return buffer;
  };
  const Index n_in = info.input.size(), n_out = info.output.size();
  const int b_in = info.input.bytes(), b_out = info.output.bytes();
  const FrameBuffer in = sized(b_in, n_in, 2), out = sized(b_out, n_out, 2);
  refused("an input frame with one code more", sized(b_in, n_in + 1, 2), out);
  refused("an input frame with one code less", sized(b_in, n_in - 1, 2), out);
  refused("an output frame with one code more", in, sized(b_out, n_out + 1, 2));
  refused("an output frame with one code less", in, sized(b_out, n_out - 1, 2));
  refused("input codes of the other width", sized(3 - b_in, n_in, 2), out);
  refused("output codes of the other width", in, sized(3 - b_out, n_out, 2));
  refused("one output frame for two input frames", in, sized(b_out, n_out, 1));
  refused("three output frames for two input frames", in, sized(b_out, n_out, 3));
  require_like_fresh(std::move(device), open, "frames of the wrong shape");
}

void too_high(const Open& open) {
  auto device = fresh(open);
  const DeviceInfo& info = device->describe();
  if (info.input.bits == 8 * info.input.bytes()) throw Skipped{"every value that can be stored is a code"};
  const Index n = few(info);
  for (const Index frame : {Index{0}, n - 1}) {
    FrameBuffer in = open.frames(info, n);
    in.frames().set(frame, info.input.size() - 1, info.input.highest() + 1);
    LIGHTLOOP_REQUIRE_THROWS(OutOfRange, "the code " + std::to_string(info.input.highest() + 1),
                             run(*device, in.frames()));
  }
  require_like_fresh(std::move(device), open, "a code above the highest");
}

void empty_batch(const Open& open) {
  auto device = fresh(open);
  const Codes codes = run(*device, open.frames(device->describe(), 0).frames());
  require(codes.report.frames == 0 && codes.report.codes == 0, "it was counted as frames");
  require_like_fresh(std::move(device), open, "an empty batch");
}

void largest_batch(const Open& open) {
  auto device = fresh(open);
  const DeviceInfo info = device->describe();
  constexpr double kMaxCodes = 1 << 26, kMaxWork = 1e10;  // what may be tried without minutes or gigabytes
  const double n_in = static_cast<double>(info.input.size()), n_out = static_cast<double>(info.output.size());
  const double frames = static_cast<double>(info.max_batch);
  if (frames * (n_in + n_out) > kMaxCodes || frames * n_in * n_out > kMaxWork)
    throw Skipped{"max_batch x frame size is too much for a check"};
  const FrameBuffer in = open.frames(info, info.max_batch + 1);
  require(run(*device, in.frames().slice(0, info.max_batch)).report.frames == info.max_batch,
          "not all frames of a batch of max_batch were run");
  FrameBuffer too_much = output_memory(info, info.max_batch + 1);
  LIGHTLOOP_REQUIRE_THROWS(OutOfRange, "one frame more than max_batch", device->run(in.frames(), too_much.frames()));
  device.reset();
  FrameBuffer out = output_memory(info, info.max_batch + 1);
  Session session(fresh(open));
  session.run(in.frames(), out.frames());
  require(session.meter().batches == 2, "a Session did not cut the larger batch in two");
}

void in_order(const Open& open) {
  constexpr Index kMany = 8;
  auto device = fresh(open);
  const DeviceInfo info = device->describe();
  if (info.stateful) throw Skipped{"the answer of a stateful device depends on the order"};
  const FrameBuffer in = open.frames(info, kMany);
  FrameBuffer turned(info.input, kMany);
  for (Index frame = 0; frame < kMany; ++frame)
    for (Index i = 0; i < info.input.size(); ++i) turned.frames().set(kMany - 1 - frame, i, in.frames().at(frame, i));
  const Codes forward = run(*device, in.frames()), backward = run(*device, turned.frames());
  for (Index frame = 0; frame < kMany; ++frame) {
    const Index like = most_like(backward, forward, frame, kMany - 1 - frame);
    require(like == kMany - 1 - frame, "shown in the opposite order, the answer to frame " + std::to_string(frame) +
                                           " is found at " + std::to_string(like) + ", not at " +
                                           std::to_string(kMany - 1 - frame));
  }
}

void repeatable(const Open& open) {
  auto device = fresh(open);
  need_repeatable(device->describe());
  const RunOptions options{.first_frame_id = 7};
  const FrameBuffer in = open.frames(device->describe(), kFrames);
  const Codes first = run(*device, in.frames(), options);
  if (!device->describe().stateful)
    require_equal(first, run(*device, in.frames(), options, 0xFF), "the same device, asked twice");
  device.reset();
  require_equal(first, run_fresh(open, in.frames(), options, 0xFF), "two fresh devices");
}

void deterministic(const Open& open) {
  constexpr Index kMany = 64;  // frames over which a noise of the order of one code must show
  auto device = fresh(open);
  need_repeatable(device->describe());
  const bool says_so = device->describe().deterministic;
  const FrameBuffer in = open.frames(device->describe(), kMany);
  const Codes first = run(*device, in.frames(), {.first_frame_id = 0});
  device.reset();
  const std::string where = difference(first, run_fresh(open, in.frames(), {.first_frame_id = 1000}));
  if (says_so)
    require(where.empty(), "says it is deterministic, but with other frame ids " + where);
  else
    require(!where.empty(), "says it is noisy, but " + std::to_string(kMany) + " frames are equal under other ids");
}

void batch_split(const Open& open) {
  auto device = fresh(open);
  const FrameBuffer in = open.frames(device->describe(), kFrames);
  Codes joined = run(*device, in.frames().slice(0, 1));
  for (const auto& [first, n] : {std::pair<Index, Index>{1, 2}, {3, kFrames - 3}}) {
    const Codes more = run(*device, in.frames().slice(first, n), {.first_frame_id = static_cast<std::uint64_t>(first)});
    joined.values.insert(joined.values.end(), more.values.begin(), more.values.end());
  }
  device.reset();
  require_equal(run_fresh(open, in.frames()), joined, "one call and three calls");
}

void session_split(const Open& open) {
  FrameBuffer in, out;
  {
    Session session(fresh(open));
    in = open.frames(session.info(), kFrames);
    out = output_memory(session.info(), kFrames);
    session.run(in.frames().slice(0, 2), out.frames().slice(0, 2));
    session.run(in.frames().slice(2, kFrames - 2), out.frames().slice(2, kFrames - 2));
    require(session.meter().frames == kFrames, "the Session's meter lost frames");
  }
  const Codes once = run_fresh(open, in.frames());
  Codes twice = once;
  for (Index i = 0; i < kFrames * once.size; ++i)
    twice.values[static_cast<std::size_t>(i)] = out.frames().at(i / once.size, i % once.size);
  require_equal(once, twice, "one call of the device and two of a Session");
}

void threads_do_not_matter(const Open& open) {
  struct Restore {
    int before = threads();
    ~Restore() { set_threads(before); }
  } restore;
  const auto with = [&](int count) {
    set_threads(count);
    const auto device = fresh(open);
    need_repeatable(device->describe());
    return run(*device, open.frames(device->describe(), kFrames).frames());
  };
  const Codes one = with(1);
  require_equal(one, with(2), "1 and 2 threads");
  require_equal(one, with(3), "1 and 3 threads");
}

void deadline(const Open& open) {
  auto device = fresh(open);
  const FrameBuffer in = open.frames(device->describe(), kFrames);
  const auto now = std::chrono::steady_clock::now();
  LIGHTLOOP_REQUIRE_THROWS(Timeout, "a deadline that has passed",
                           run(*device, in.frames(), {.deadline = now - std::chrono::seconds(1)}));
  const Codes later = run(*device, in.frames(), {.deadline = now + std::chrono::hours(1)});
  device.reset();
  require_equal(later, run_fresh(open, in.frames()), "a run refused for its deadline changed later codes");
}

}  // namespace

std::vector<Check> run_checks() {
  return {{"output codes lie in their range", in_range},
          {"different frames give different codes", answers},
          {"frames of wrong size, width or count are refused and change nothing", wrong_shapes},
          {"codes above the highest are refused and change nothing", too_high},
          {"an empty batch does nothing", empty_batch},
          {"max_batch frames are accepted, one more is refused, a Session cuts them", largest_batch},
          {"answers come in the order of their frames", in_order},
          {"the same frames with the same ids give the same codes", repeatable},
          {"noise depends on the frame id, and only if the description says so", deterministic},
          {"codes do not depend on how a batch is cut", batch_split},
          {"a Session gives the codes of the device", session_split},
          {"codes do not depend on the number of threads", threads_do_not_matter},
          {"a deadline that has passed is a Timeout and changes nothing", deadline}};
}

}  // namespace lightloop::conformance
