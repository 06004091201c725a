#include "driver/api/members.hpp"

#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <utility>

namespace lightloop {
namespace {

enum class Wish { nothing, run, reset };

struct Request {
  Wish wish = Wish::nothing;
  ConstFrames in;
  Frames out;
  RunOptions options;
  RunReport report;
  std::exception_ptr error;
};

bool alike(const Request& a, const Request& b) {
  return a.wish == b.wish &&
         (a.wish != Wish::run || (a.in.count == b.in.count && a.options.first_frame_id == b.options.first_frame_id &&
                                  a.options.pass == b.options.pass));
}

std::int64_t at_either_end(const ConstFrames& frames, std::uint32_t highest) {
  std::int64_t count = 0;
  for (Index f = 0; f < frames.count; ++f)
    for (Index i = 0; i < frames.size; ++i) {
      const std::uint32_t code = frames.at(f, i);
      count += code == 0 || code == highest;
    }
  return count;
}

}  // namespace

/// What the members share: the device, and what each of them waits for.
class MemberBatch {
 public:
  MemberBatch(std::unique_ptr<Device> device, std::vector<Settings> settings)
      : device_(std::move(device)), settings_(std::move(settings)), requests_(settings_.size()) {
    present_.assign(settings_.size(), true);
    device_->ensemble()->configure_members(settings_);
  }

  RunReport ask(std::size_t m, Request request) {
    std::unique_lock lock(busy_);
    check_going();
    requests_[m] = std::move(request);
    perform_if_complete();
    changed_.wait(lock, [&] { return requests_[m].wish == Wish::nothing || stopped_ || diverged_; });
    if (requests_[m].wish != Wish::nothing) {
      requests_[m].wish = Wish::nothing;
      check_going();
    }
    if (requests_[m].error) std::rethrow_exception(std::exchange(requests_[m].error, nullptr));
    return requests_[m].report;
  }

  void leave(std::size_t m) {
    const std::lock_guard lock(busy_);
    if (!present_[m]) return;
    present_[m] = false;
    if (!stopped_ && !diverged_) perform_if_complete();
  }

  [[noreturn]] void diverge() {
    {
      const std::lock_guard lock(busy_);
      diverged_ = true;
    }
    changed_.notify_all();
    refuse();
  }

  void stop() {
    {
      const std::lock_guard lock(busy_);
      stopped_ = true;
    }
    changed_.notify_all();
  }

  bool diverged() {
    const std::lock_guard lock(busy_);
    return diverged_;
  }

 private:
  [[noreturn]] void refuse() const {
    throw Unsupported(device_->describe().model + ": members of an ensemble", "they are asked for different things", "",
                      "Use a device opened alone.");
  }

  void check_going() const {
    if (stopped_) throw LinkError(device_->describe().model + ": members of an ensemble", "called off");
    if (diverged_) refuse();
  }

  void perform_if_complete() {
    const Request* first = nullptr;
    for (std::size_t m = 0; m < requests_.size(); ++m) {
      if (!present_[m]) continue;
      if (requests_[m].wish == Wish::nothing) return;  // still at work
      if (first == nullptr) first = &requests_[m];
      if (!alike(*first, requests_[m])) {
        diverged_ = true;
        changed_.notify_all();
        return;
      }
    }
    if (first == nullptr) return;
    perform(*first);
    changed_.notify_all();
  }

  void perform(const Request& like) {
    std::exception_ptr error;
    try {
      if (like.wish == Wish::reset)
        device_->ensemble()->configure_members(settings_);
      else
        run(like.in.count, like.options);
    } catch (...) {
      error = std::current_exception();
    }
    for (Request& request : requests_) {
      if (error && request.wish != Wish::nothing) request.error = error;
      request.wish = Wish::nothing;
    }
  }

  /// The frames of all members side by side; those that have left are shown zeros.
  void run(Index count, RunOptions options) {
    const DeviceInfo& info = device_->describe();
    const Index members = static_cast<Index>(requests_.size());
    in_.resize(info.input, members * count);
    out_.resize(info.output, members * count);
    for (Index m = 0; m < members; ++m) {
      const Frames slot = in_.frames().slice(m * count, count);
      const auto bytes = static_cast<std::size_t>(count * slot.size * slot.bytes);
      const Request& request = requests_[static_cast<std::size_t>(m)];
      if (bytes == 0) continue;
      if (request.wish == Wish::run)
        std::memcpy(slot.data, request.in.data, bytes);
      else
        std::memset(slot.data, 0, bytes);
    }
    for (const Request& request : requests_)
      if (request.wish == Wish::run && request.options.deadline &&
          (!options.deadline || *request.options.deadline < *options.deadline))
        options.deadline = request.options.deadline;
    const RunReport whole = device_->ensemble()->run_members(std::as_const(in_).frames(), out_.frames(), options);
    for (Index m = 0; m < members; ++m) {
      Request& request = requests_[static_cast<std::size_t>(m)];
      if (request.wish != Wish::run) continue;
      const ConstFrames slot = std::as_const(out_).frames().slice(m * count, count);
      if (count > 0) std::memcpy(request.out.data, slot.data, static_cast<std::size_t>(count * slot.size * slot.bytes));
      request.report.frames = count;
      request.report.codes = count * slot.size;
      request.report.saturated = at_either_end(slot, info.output.highest());
    }
    for (const MemberFailure& failure : whole.failures)
      requests_[static_cast<std::size_t>(failure.member)].error =
          std::make_exception_ptr(OutOfRange(info.model + ": " + failure.detail, ""));
  }

  std::unique_ptr<Device> device_;
  std::vector<Settings> settings_;
  std::vector<Request> requests_;
  std::vector<bool> present_;
  FrameBuffer in_, out_;
  bool stopped_ = false, diverged_ = false;
  std::mutex busy_;
  std::condition_variable changed_;
};

namespace {

class Member final : public Device {
 public:
  Member(std::shared_ptr<MemberBatch> batch, std::size_t index, const Device& alone)
      : batch_(std::move(batch)), index_(index), info_(alone.describe()), params_(alone.settings()) {}
  ~Member() override { batch_->leave(index_); }

  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }
  void configure(const Settings&) override { batch_->diverge(); }
  RunReport run(ConstFrames in, Frames out, const RunOptions& options = {}) override {
    check_open(open_);
    check_frames(in, out, options);
    if (in.aux.rows() > 0) batch_->diverge();
    RunReport report = batch_->ask(index_, {Wish::run, in, out, options, {}, nullptr});
    report.device_s = info_.cost.seconds(in.count, 1);
    report.device_j = info_.cost.joules(in.count, 1);
    return report;
  }
  void reset() override { batch_->ask(index_, {Wish::reset, {}, {}, {}, {}, nullptr}); }
  std::vector<std::byte> snapshot() const override { batch_->diverge(); }
  void restore(const std::vector<std::byte>&) override { batch_->diverge(); }
  SelfTest self_test() override { batch_->diverge(); }
  std::vector<Monitor> monitors() const override { batch_->diverge(); }
  void close() override {
    open_ = false;
    batch_->leave(index_);
  }

 private:
  std::shared_ptr<MemberBatch> batch_;
  std::size_t index_;
  DeviceInfo info_;
  ParamSet params_;
  bool open_ = true;
};

}  // namespace

Members::Members(const Registry& registry, const std::string& address, const Settings& common,
                 const std::vector<Settings>& members) {
  auto device = registry.open(address, common);
  if (device->ensemble() == nullptr)
    throw Unsupported(device->describe().model + ": ensemble", "not offered", "", "Open one device after the other.");
  const std::int64_t instance = device->settings().has("instance") ? device->settings().integer("instance") : 0;
  std::vector<std::unique_ptr<Device>> alone;
  for (std::size_t m = 0; m < members.size(); ++m) {
    Settings own = common;
    for (const auto& [key, value] : members[m]) own[key] = value;
    own["instance"] = instance + static_cast<std::int64_t>(m);
    alone.push_back(registry.open(address, own));  // told apart from the batch only by how it works
  }
  batch_ = std::make_shared<MemberBatch>(std::move(device), members);
  for (std::size_t m = 0; m < members.size(); ++m) devices_.push_back(std::make_unique<Member>(batch_, m, *alone[m]));
}

std::unique_ptr<Device> Members::take(Index m) { return std::move(devices_.at(static_cast<std::size_t>(m))); }

bool Members::diverged() const { return batch_->diverged(); }

void Members::stop() { batch_->stop(); }

}  // namespace lightloop
