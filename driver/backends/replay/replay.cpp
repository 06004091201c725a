#include "driver/backends/replay/replay.hpp"

#include <algorithm>
#include <utility>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "driver/backends/replay/checked.hpp"
#include "driver/backends/replay/shares.hpp"
#include "driver/recorder/tape.hpp"

namespace lightloop::replay {
namespace {
using recording::Entry;
using recording::Event;
constexpr const char* kHint = "Ask what was recorded, in the same order and with the same settings, or record again.";
constexpr std::uint32_t kSnapshotVersion = 1;

/// Where the replay is: `frame` of entry `entry` comes next.
struct Place {
  std::uint64_t entry = 0;
  Index frame = 0;
};

std::string name(Pass pass) { return pass == Pass::forward ? "forward" : "transposed"; }

std::string name(const Entry& entry) {
  switch (entry.event) {
    case Event::run:
      return "run of " + std::to_string(entry.count) + " frames";
    case Event::configure:
      return "configure";
    case Event::program:
      return "program";
    case Event::reset:
      return "reset";
    case Event::restore:
      return "restore";
  }
  throw InternalError("event", std::to_string(static_cast<int>(entry.event)));
}

class Replay : public Device {
 public:
  explicit Replay(const std::string& path) : tape_(path) { become(tape_.start(), {}); }

  /// For the conformance suite: goes to the first run or programme, and throws NotAsked where it would say that
  /// something else is recorded.
  void be_asked() {
    const auto& entries = tape_.entries();
    while (place_.entry < entries.size() && entries[place_.entry].event != Event::run &&
           entries[place_.entry].event != Event::program)
      go_on();
    asked_ = true;
  }

  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }

  void configure(const Settings& changes) override {
    check_open(open_);
    const ParamSet next = changed(changes);
    pass_over();
    if (next.all() == params_.all()) return;
    expect(Event::configure, "configure(" + format_settings(changes) + ")");
    const ParamSet recorded = tape_.settings_of(after_next());
    for (const ParamInfo& info : next.infos())
      if (next.value(info.name) != recorded.value(info.name))
        differ("setting " + info.name + " becomes " + to_string(next.value(info.name)),
               to_string(recorded.value(info.name)));
    go_on();
  }

  RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
    check_open(open_);
    check_frames(in, out, options);
    pass_over();
    RunReport report;
    Place at = place_;
    for (Index done = 0; done < in.count;) {
      if (at.entry == tape_.entries().size()) end(in.count - done);
      const Entry& entry = tape_.entries()[at.entry];
      if (entry.event != Event::run) differ(at, "run of " + std::to_string(in.count) + " frames", name(entry));
      const Index n = std::min(in.count - done, entry.count - at.frame);
      RunOptions part = options;
      part.first_frame_id += static_cast<std::uint64_t>(done);
      compare(at, in.slice(done, n), part);
      answer(entry.first + at.frame, out.slice(done, n));
      shares_.add(tape_, info_, at.entry, at.frame, n, report);
      report.frames += n;
      report.codes += n * out.size;
      at.frame += n;
      done += n;
      if (at.frame == entry.count) at = {at.entry + 1, 0};
    }
    place_ = at;
    return report;
  }

  void program(ConstFrames codes) override {
    check_open(open_);
    check_program(codes);
    pass_over();
    expect(Event::program, "program");
    FrameBuffer recorded;
    tape_.programme(tape_.entries()[place_.entry].first, recorded);
    compare_codes(place_, "programme code", codes, 0, recorded.frames(), 0);
    go_on();
  }

  void reset() override {
    check_open(open_);
    pass_over();
    expect(Event::reset, "reset");
    go_on();
  }

  std::vector<std::byte> snapshot() const override {
    ByteWriter bytes;
    bytes.put(kSnapshotVersion);
    bytes.put(place_);
    return bytes.take();
  }
  void restore(const std::vector<std::byte>& state) override {
    check_open(open_);
    ByteReader bytes(state, "snapshot of a replay");
    if (const auto version = bytes.get<std::uint32_t>(); version != kSnapshotVersion)
      bytes.refuse("version " + std::to_string(version));
    const auto place = bytes.get<Place>();
    const auto& entries = tape_.entries();
    if (bytes.left() > 0 || place.entry > entries.size() || place.frame < 0 ||
        (place.frame > 0 && (place.entry == entries.size() || place.frame >= entries[place.entry].count)))
      bytes.refuse("a place outside " + tape_.path());
    pass_over();
    // a restore that was recorded goes on with the recording; any other one goes back in it
    const bool recorded = place_.entry < entries.size() && entries[place_.entry].event == Event::restore;
    const Place to = recorded ? Place{place_.entry + 1, 0} : place;
    become(tape_.state(to.entry), to);
  }

  SelfTest self_test() override {
    check_open(open_);
    return {true, "a recording of " + tape_.device() + " with " + std::to_string(tape_.frames()) + " frames"};
  }
  void close() override { open_ = false; }

 private:
  /// Goes to a place, where description and settings are those of `state`.
  void become(Settings state, const Place& place) {
    DeviceInfo info = tape_.info_of(state);
    if (!recording::same_frames(info, tape_.opened()))
      throw FileError(tape_.path(), "the frames change on the way", "event " + std::to_string(place.entry),
                      "The file is damaged.");
    // Whatever the device could tell of its exposures: here every frame is held against the record itself.
    info.pairing = Pairing::certain;
    params_ = tape_.settings_of(state);
    info_ = std::move(info);
    state_ = std::move(state);
    place_ = place;
  }
  /// The state behind the next entry.
  Settings after_next() const {
    Settings after = state_;
    recording::apply_note(tape_.note(place_.entry), after);
    return after;
  }
  /// Past configures that changed no setting, only what the device said of itself: nobody need ask for them again.
  void pass_over() {
    const auto& entries = tape_.entries();
    while (place_.entry < entries.size() && entries[place_.entry].event == Event::configure &&
           tape_.settings_of(after_next()).all() == params_.all())
      go_on();
  }
  std::string where(const Place& at) const {
    const auto& entries = tape_.entries();
    std::string text = "replay:" + tape_.path() + " at ";
    if (at.entry < entries.size() && entries[at.entry].event == Event::run)
      return text + "frame " + std::to_string(entries[at.entry].first + at.frame) + " (id " +
             std::to_string(entries[at.entry].options.first_frame_id + static_cast<std::uint64_t>(at.frame)) + ")";
    return text + "event " + std::to_string(at.entry);
  }
  [[noreturn]] void refuse(const std::string& at, const std::string& got, const std::string& limit) const {
    if (asked_) throw NotAsked("not in the recording", got, limit);
    throw InvalidParameter(at, got, limit,
                           tape_.of_checks()
                               ? "It is a recording of the conformance suite: lightloop check replay:" + tape_.path()
                               : kHint);
  }
  [[noreturn]] void differ(const Place& at, const std::string& got, const std::string& recorded) const {
    refuse(where(at), got, "recorded: " + recorded);
  }
  [[noreturn]] void differ(const std::string& got, const std::string& recorded) const { differ(place_, got, recorded); }
  [[noreturn]] void end(Index frames) const {
    refuse("replay:" + tape_.path(), "asked for " + std::to_string(frames) + " frames more",
           "the recording ends after " + std::to_string(tape_.frames()) + " frames");
  }
  void expect(Event event, const std::string& asked) const {
    if (place_.entry == tape_.entries().size()) differ(asked, "nothing more");
    const Entry& entry = tape_.entries()[place_.entry];
    if (entry.event != event) differ(asked, name(entry));
  }
  /// Past the present event, which is no run.
  void go_on() {
    const Place next{place_.entry + 1, 0};
    if (tape_.note(place_.entry).empty())
      place_ = next;
    else
      become(after_next(), next);
  }

  void compare(Place at, const ConstFrames& in, const RunOptions& options) {
    const Entry& entry = tape_.entries()[at.entry];
    if (options.pass != entry.options.pass)
      differ(at, name(options.pass) + " pass", name(entry.options.pass) + " pass");
    const std::uint64_t id = entry.options.first_frame_id + static_cast<std::uint64_t>(at.frame);
    if (options.first_frame_id != id)
      differ(at, "frame id " + std::to_string(options.first_frame_id), std::to_string(id));
    tape_.input(entry.first + at.frame, in.count, stored_);
    const Matrix<std::uint16_t> aux = tape_.aux(entry.first + at.frame, in.count);
    for (Index i = 0; i < in.count; ++i, ++at.frame) {
      compare_codes(at, "input code", in, i, std::as_const(stored_).frames(), i);
      for (Index c = 0; c < aux.cols(); ++c) {
        const auto& format = info_.aux_inputs[static_cast<std::size_t>(c)];
        const std::uint32_t got = in.aux.cols() > 0 ? in.aux(i, c) : format.rest;
        if (got != aux(i, c))
          differ(at, "auxiliary code " + format.name + " is " + std::to_string(got), std::to_string(aux(i, c)));
      }
    }
  }
  void compare_codes(const Place& at, const char* what, const ConstFrames& got, Index i, const ConstFrames& stored,
                     Index j) const {
    if (const auto k = recording::first_difference(got, i, stored, j))
      differ(at, std::string(what) + " " + std::to_string(*k) + " is " + std::to_string(got.at(i, *k)),
             std::to_string(stored.at(j, *k)));
  }
  void answer(Index first, const Frames& out) {
    tape_.output(first, out.count, stored_);
    recording::copy_out(std::as_const(stored_).frames(), out);
  }

  recording::Tape tape_;
  Settings state_;  ///< "info.*" and "settings.*" at the place
  DeviceInfo info_;
  ParamSet params_;
  Place place_;
  Shares shares_;
  FrameBuffer stored_;
  bool open_ = true, asked_ = false;
};

std::unique_ptr<Device> open(const std::string& path, const Settings& settings) {
  auto device = std::make_unique<Replay>(path);
  check_given<InvalidParameter>(path, device->settings(), settings);
  return device;
}
}  // namespace

std::unique_ptr<Device> open_to_be_asked(const std::string& path, const Settings& settings) {
  auto device = std::make_unique<Replay>(path);
  device->be_asked();
  check_given<NotAsked>(path, device->settings(), settings, "not in the recording: ");
  return device;
}

Backend backend() {
  Backend replay = [](const DeviceAddress& address, const Registry&) { return open(address.target, address.settings); };
  replay.candidate = [](const DeviceAddress& address, const Registry&) {
    return candidate(address.target, address.settings);
  };
  return replay;
}

}  // namespace lightloop::replay
