#include "driver/backends/replay/recalled.hpp"

#include <charconv>
#include <utility>

namespace lightloop::replay {
namespace {
using recording::Call;
using recording::CallKind;
constexpr const char* kHint = "Record the check again: lightloop check DEVICE --record FILE.";

std::string text_of(const Call& call, const std::string& key) {
  const auto found = call.note.find(key);
  return found == call.note.end() ? std::string() : to_string(found->second);
}

class Recalled : public Device, public Ensemble {
 public:
  Recalled(std::shared_ptr<CheckTape> tape, std::shared_ptr<Part> part, const Settings& settings)
      : tape_(std::move(tape)), part_(std::move(part)), state_(tape_->tape.start()) {
    const Call& call = next(CallKind::open, recording::asked_open(settings));
    if (call.refused()) {
      ++part_->asked;
      recording::raise(call.note);
    }
    ensemble_ = call.note.contains("ensemble");
    become(call, true);
  }

  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }

  void configure(const Settings& changes) override { ask(CallKind::configure, recording::asked_configure(changes)); }
  RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
    return run_as(CallKind::run, in, out, options);
  }
  void program(ConstFrames codes) override {
    const Call& call = next(CallKind::program, recording::asked_program(codes));
    if (call.count == 0) {
      check_digest(call, codes);
    } else {
      if (call.count != 1 || !recording::can_keep(tape_->tape.opened(), codes)) damaged();
      FrameBuffer recorded;
      {
        const std::lock_guard lock(tape_->mutex);
        tape_->tape.programme(call.first, recorded);
      }
      compare("programme code", codes, 0, std::as_const(recorded).frames(), 0);
    }
    answer(call);
  }
  void reset() override { ask(CallKind::reset, "reset"); }
  std::vector<std::byte> snapshot() const override { return ask(CallKind::snapshot, "snapshot").state; }
  void restore(const std::vector<std::byte>& state) override {
    ask(CallKind::restore, recording::asked_restore(state));
  }
  SelfTest self_test() override {
    const Call& call = ask(CallKind::self_test, "self-test");
    return {text_of(call, "passed") == "true", text_of(call, "detail")};
  }
  std::vector<Monitor> monitors() const override {
    const Call& call = ask(CallKind::monitors, "monitors");
    std::vector<Monitor> all;
    for (std::size_t i = 0;; ++i) {
      const std::string prefix = "monitor." + std::to_string(i), value = text_of(call, prefix + ".value");
      if (value.empty()) return all;
      all.push_back({text_of(call, prefix + ".name"), text_of(call, prefix + ".unit"), 0});
      std::from_chars(value.data(), value.data() + value.size(), all.back().value);
    }
  }
  Ensemble* ensemble() override { return ensemble_ ? this : nullptr; }
  void configure_members(const std::vector<Settings>& members) override {
    ask(CallKind::members, recording::asked_members(members));
  }
  RunReport run_members(ConstFrames in, Frames out, const RunOptions& options) override {
    return run_as(CallKind::run_members, in, out, options);
  }
  void close() override { ask(CallKind::close, "close"); }

 private:
  /// The next call of this device, which must be this one.
  const Call& next(CallKind kind, const std::string& asked) const {
    if (part_->asked == part_->calls.size()) differ(asked, "nothing more");
    const Call& call = tape_->tape.calls()[part_->calls[part_->asked]];
    if (call.kind != kind || text_of(call, "asked") != asked) differ(asked, text_of(call, "asked"));
    return call;
  }
  /// Past a call that was what is recorded: answered or refused as it was.
  void answer(const Call& call) const {
    ++part_->asked;
    become(call, false);
    if (call.refused()) recording::raise(call.note);
  }
  const Call& ask(CallKind kind, const std::string& asked) const {
    const Call& call = next(kind, asked);
    answer(call);
    return call;
  }
  /// Description and settings after the call.
  void become(const Call& call, bool opened) const {
    if (opened) ++part_->asked;
    if (!recording::apply_note(call.note, state_) && !opened) return;
    info_ = tape_->tape.info_of(state_);
    params_ = tape_->tape.settings_of(state_);
  }
  RunReport run_as(CallKind kind, const ConstFrames& in, const Frames& out, const RunOptions& options) {
    const Call& call = next(kind, recording::asked_run(in, out, options));
    if (call.count == 0)
      check_digest(call, in);
    else
      compare_and_fill(call, in, out, options);
    if (options.numbers != nullptr) {
      const std::string numbers = text_of(call, "numbers");
      const char* at = numbers.data();
      const char* const end = at + numbers.size();
      for (Index i = 0; i < in.count && !call.refused(); ++i) {
        const auto [next, error] = std::from_chars(at, end, options.numbers[i]);
        if (error != std::errc()) damaged();
        at = next == end ? end : next + 1;
      }
    }
    answer(call);
    return call.report;
  }
  void compare_and_fill(const Call& call, const ConstFrames& in, const Frames& out, const RunOptions& options) {
    if (call.count != in.count || !recording::can_keep(tape_->tape.opened(), in, out, options.pass)) damaged();
    FrameBuffer shown, seen;
    Matrix<std::uint16_t> aux;
    {
      const std::lock_guard lock(tape_->mutex);
      tape_->tape.input(call.first, call.count, shown);
      tape_->tape.output(call.first, call.count, seen);
      aux = tape_->tape.aux(call.first, call.count);
    }
    for (Index i = 0; i < in.count; ++i) {
      compare("input code", in, i, std::as_const(shown).frames(), i);
      for (Index c = 0; c < in.aux.cols(); ++c)
        if (in.aux(i, c) != aux(i, c))
          differ("auxiliary code " + std::to_string(c) + " of frame " + std::to_string(i) + " is " +
                     std::to_string(in.aux(i, c)),
                 std::to_string(aux(i, c)));
    }
    recording::copy_out(std::as_const(seen).frames(), out);
  }
  void compare(const char* what, const ConstFrames& got, Index i, const ConstFrames& stored, Index j) const {
    if (const auto k = recording::first_difference(got, i, stored, j))
      differ(std::string(what) + " " + std::to_string(*k) + " of frame " + std::to_string(i) + " is " +
                 std::to_string(got.at(i, *k)),
             std::to_string(stored.at(j, *k)));
  }
  void check_digest(const Call& call, const ConstFrames& frames) const {
    if (text_of(call, "digest") != recording::digest(frames)) differ("other codes", text_of(call, "asked"));
  }
  std::string where() const {
    return "call " + std::to_string(part_->asked) + " of the device opened for \"" + part_->claim + "\"";
  }
  [[noreturn]] void damaged() const {
    throw FileError(tape_->tape.path(), where() + " has the frames of another call", "", "The file is damaged.");
  }
  [[noreturn]] void differ(const std::string& got, const std::string& recorded) const {
    // of a kind that no claim expects of a device, so that it cannot pass for a refusal
    throw FileError("replay:" + tape_->tape.path() + ", " + where(), got, "recorded: " + recorded, kHint);
  }

  const std::shared_ptr<CheckTape> tape_;
  const std::shared_ptr<Part> part_;
  mutable Settings state_;
  mutable DeviceInfo info_;
  mutable ParamSet params_;
  bool ensemble_ = false;
};

}  // namespace

std::unique_ptr<Device> recall(std::shared_ptr<CheckTape> tape, std::shared_ptr<Part> part, const Settings& settings) {
  return std::make_unique<Recalled>(std::move(tape), std::move(part), settings);
}

}  // namespace lightloop::replay
