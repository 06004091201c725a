#include "driver/backends/replay/checked.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "driver/backends/replay/recalled.hpp"

namespace lightloop::replay {
namespace {
using recording::Call;
using recording::CallKind;
using recording::Entry;
using recording::Event;

/// A recording of the suite, claim by claim.
class OfChecks : public Candidate {
 public:
  explicit OfChecks(std::shared_ptr<CheckTape> tape) : tape_(std::move(tape)) {
    const auto& calls = tape_->tape.calls();
    Devices* claim = nullptr;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      if (calls[i].kind == CallKind::claim) {
        claim = &claims_[to_string(calls[i].note.at("asked"))];
        claim->clear();
        continue;
      }
      const auto device = static_cast<std::size_t>(calls[i].device);
      if (claim == nullptr || device > claim->size() || (device == claim->size()) != (calls[i].kind == CallKind::open))
        throw FileError(tape_->tape.path(), "call " + std::to_string(i) + " is of a device that was not opened", "",
                        "The file is damaged.");
      if (device == claim->size()) claim->emplace_back();
      (*claim)[device].push_back(i);
    }
  }

  void begin(const std::string& claim) override {
    parts_.clear();
    opened_ = 0;
    const auto found = claims_.find(claim);
    if (found == claims_.end()) throw NotAsked("not in the recording", "the claim was not checked when it was made");
    for (const auto& calls : found->second) parts_.push_back(std::make_shared<Part>(Part{claim, calls}));
  }
  std::unique_ptr<Device> open(const Settings& settings) override {
    const std::lock_guard lock(mutex_);
    if (opened_ == parts_.size())
      throw FileError("replay:" + tape_->tape.path(), "the device is opened once more",
                      "recorded: " + std::to_string(opened_) + " times");
    return recall(tape_, parts_[opened_++], settings);
  }
  void end() override {
    for (const auto& part : parts_)
      if (part->asked < part->calls.size())
        throw FileError("replay:" + tape_->tape.path(),
                        std::to_string(part->calls.size() - part->asked) +
                            " recorded calls were not asked again, from \"" +
                            to_string(tape_->tape.calls()[part->calls[part->asked]].note.at("asked")) + "\" on");
  }

 private:
  using Devices = std::vector<std::vector<std::size_t>>;  ///< the calls of each device, in their order
  const std::shared_ptr<CheckTape> tape_;
  std::map<std::string, Devices> claims_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<Part>> parts_;
  std::size_t opened_ = 0;
};

/// Any other recording, asked with what it begins with.
class OfAnything : public Candidate {
 public:
  OfAnything(const std::string& path, const Settings& given) : path_(path), tape_(path) {
    check_given<InvalidParameter>(path, tape_.settings_of(tape_.start()), given);
    open_to_be_asked(path, {});
    const auto& entries = tape_.entries();
    auto at = std::ranges::find_if(
        entries, [](const Entry& one) { return one.event == Event::run || one.event == Event::program; });
    if (at != entries.end() && at->event == Event::program) {
      tape_.programme(at->first, programme_);
      at = std::ranges::find_if(at, entries.end(), [](const Entry& one) { return one.event == Event::run; });
    }
    first_ = at == entries.end() ? 0 : at->first;
    for (; at != entries.end() && at->event == Event::run && at->options.pass == Pass::forward; ++at)
      count_ += at->count;
  }

  std::unique_ptr<Device> open(const Settings& settings) override { return open_to_be_asked(path_, settings); }
  /// The recorded ones as far as they go; the others the device will not know.
  FrameBuffer frames(const DeviceInfo& info, Index count, std::uint64_t set, Pass pass) const override {
    FrameBuffer asked = Candidate::frames(info, count, set, pass);
    if (set != 0 || pass != Pass::forward) return asked;
    const Index known = std::min(count, count_);
    FrameBuffer stored;
    tape_.input(first_, known, stored);
    for (Index frame = 0; frame < known; ++frame)
      for (Index i = 0; i < info.input.size(); ++i) asked.frames().set(frame, i, stored.frames().at(frame, i));
    return asked;
  }
  FrameBuffer programme(const FrameFormat& format, std::uint64_t set) const override {
    FrameBuffer asked = Candidate::programme(format, set);
    if (set != kFreshProgramme) return asked;
    const ConstFrames stored = programme_.frames();
    for (Index i = 0; i < stored.size * std::min<Index>(stored.count, 1); ++i)
      asked.frames().set(0, i, stored.at(0, i));
    return asked;
  }

 private:
  const std::string path_;
  const recording::Tape tape_;
  FrameBuffer programme_;        ///< the first one, where it comes before the first run
  Index first_ = 0, count_ = 0;  ///< frames to begin with
};

}  // namespace

std::unique_ptr<Candidate> candidate(const std::string& path, const Settings& settings) {
  auto tape = std::make_shared<CheckTape>(path);
  if (!tape->tape.of_checks()) return std::make_unique<OfAnything>(path, settings);
  check_given<InvalidParameter>(path, tape->tape.settings_of(tape->tape.start()), settings);
  return std::make_unique<OfChecks>(std::move(tape));
}

}  // namespace lightloop::replay
