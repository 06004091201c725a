#include "driver/api/session.hpp"

#include <algorithm>

#include "core/bytes.hpp"
#include "core/error.hpp"

namespace lightloop {
namespace {
constexpr std::uint8_t kSnapshotVersion = 1;

template <class Total>
void add(const RunReport& part, Total& total) {
  total.frames += part.frames;
  total.codes += part.codes;
  total.saturated += part.saturated;
  total.device_s += part.device_s;
  total.device_j += part.device_j;
}
}  // namespace

Session::Session(std::unique_ptr<Device> device, std::string address)
    : device_(std::move(device)), address_(std::move(address)) {
  LIGHTLOOP_ASSERT(device_ != nullptr);
}

Session::~Session() {
  try {
    device_->close();
  } catch (const std::exception&) {
    // A link that is already broken must not end the program while it is being let go.
  }
}

RunReport Session::run(ConstFrames in, Frames out, RunOptions options) {
  const Index limit = info().max_batch;
  // Frames that will be cut are checked as a whole first, so that a mistake in the last batch costs no device time.
  if (in.count > limit || in.count != out.count) check_run(info(), in, out, options.pass);
  RunReport total;
  Index done = 0;
  do {
    const Index n = std::min(limit, in.count - done);
    check_deadline(options, info().model);
    options.first_frame_id = next_frame_id_ + static_cast<std::uint64_t>(done);
    const RunReport part = device_->run(in.slice(done, n), out.slice(done, n), options);
    meter_.batches += n > 0;
    add(part, meter_);
    add(part, total);
    if (observer_) observer_->on_run(in.slice(done, n), out.slice(done, n), options, part);
    done += n;
  } while (done < in.count);
  next_frame_id_ += static_cast<std::uint64_t>(in.count);
  return total;
}

void Session::program(ConstFrames codes) {
  device_->program(codes);
  ++meter_.programs;
  meter_.device_s += info().cost.program_s;
  meter_.device_j += info().cost.program_j;
  if (observer_) observer_->on_program(codes);
}

void Session::configure(const Settings& changes) {
  device_->configure(changes);
  if (observer_) observer_->on_configure();
}

void Session::reset() {
  device_->reset();
  if (observer_) observer_->on_reset();
}

std::vector<std::byte> Session::snapshot() const {
  const std::vector<std::byte> state = device_->snapshot();
  ByteWriter bytes;
  bytes.put(kSnapshotVersion);
  bytes.put(next_frame_id_);
  bytes.put(meter_);
  bytes.put_all(std::span<const std::byte>(state));
  return bytes.take();
}

void Session::restore(const std::vector<std::byte>& state) {
  ByteReader bytes(state, "session snapshot");
  const auto version = bytes.get<std::uint8_t>();
  if (version != kSnapshotVersion) bytes.refuse("version " + std::to_string(version));
  const auto next = bytes.get<std::uint64_t>();
  const auto meter = bytes.get<Meter>();
  const auto rest = bytes.take(bytes.left());
  device_->restore({rest.begin(), rest.end()});
  next_frame_id_ = next;
  meter_ = meter;
  if (observer_) observer_->on_restore();
}

}  // namespace lightloop
