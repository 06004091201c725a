#include "driver/backends/replay/replay.hpp"

#include <algorithm>
#include <cstring>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "driver/backends/replay/checked.hpp"
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
  bool operator==(const Place&) const = default;
};

/// Codes at an end of the range in the frames of a recorded run before a place in it.
struct EndsBefore {
  Place place;
  std::int64_t count = 0;
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
    EndsBefore ends = ends_;
    for (Index done = 0; done < in.count;) {
      if (at.entry == tape_.entries().size()) end(in.count - done);
      const Entry& entry = tape_.entries()[at.entry];
      if (entry.event != Event::run) differ(at, "run of " + std::to_string(in.count) + " frames", name(entry));
      const Index n = std::min(in.count - done, entry.count - at.frame);
      RunOptions part = options;
      part.first_frame_id += static_cast<std::uint64_t>(done);
      compare(at, in.slice(done, n), part);
      answer(entry.first + at.frame, out.slice(done, n));
      add_share(at, n, ends, report);
      report.frames += n;
      report.codes += n * out.size;
      at.frame += n;
      done += n;
      if (at.frame == entry.count) at = {at.entry + 1, 0};
    }
    place_ = at;
    ends_ = ends;
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
  /// The stored frame may be longer than the one asked for.
  void compare_codes(const Place& at, const char* what, const ConstFrames& got, Index i, const ConstFrames& stored,
                     Index j) const {
    const auto bytes = static_cast<std::size_t>(got.size * got.bytes);
    const auto* a = static_cast<const std::byte*>(got.data) + i * got.size * got.bytes;
    const auto* b = static_cast<const std::byte*>(stored.data) + j * stored.size * stored.bytes;
    if (std::memcmp(a, b, bytes) == 0) return;
    for (Index k = 0; k < got.size; ++k)
      if (got.at(i, k) != stored.at(j, k))
        differ(at, std::string(what) + " " + std::to_string(k) + " is " + std::to_string(got.at(i, k)),
               std::to_string(stored.at(j, k)));
  }
  /// What `n` frames of a recorded run took of its time, its energy and its clipped codes: together the frames of a run
  /// took what is recorded. Clipped codes lie at an end of the range; the first ones there count as the clipped ones,
  /// and where there are not so many the last
  /// frames have the others.
  void add_share(const Place& at, Index n, EndsBefore& ends, RunReport& report) {
    const Entry& entry = tape_.entries()[at.entry];
    const Index from = at.frame;
    const RunReport& whole = entry.report;
    if (n == entry.count) {
      report.saturated += whole.saturated;
      report.device_s += whole.device_s;
      report.device_j += whole.device_j;
      return;
    }
    // what every call costs goes with the first frames, the rest is shared equally
    const auto share = [&](double total, double call) {
      const double first = std::min(total, call);
      const auto until = [&](Index frame) {
        return frame == 0 ? 0.0
                          : first + (total - first) * (static_cast<double>(frame) / static_cast<double>(entry.count));
      };
      return until(from + n) - until(from);
    };
    report.device_s += share(whole.device_s, info_.cost.seconds(0, 1));
    report.device_j += share(whole.device_j, info_.cost.joules(0, 1));
    if (whole.saturated == 0) return;
    if (from == 0) ends = {at, 0};
    if (!(ends.place == at)) ends = {at, at_an_end(entry, 0, from)};  // restored in the middle of a run
    // clipped so far: what was found, or more where the codes to come could not hold the others
    const auto clipped = [&](Index frame) {
      const std::int64_t rest = (entry.count - frame) * size_of(entry);
      return std::min(whole.saturated, std::max({std::int64_t{0}, ends.count, whole.saturated - rest}));
    };
    const std::int64_t before = clipped(from);
    ends = {{at.entry, from + n}, ends.count + at_an_end(entry, from, n)};
    report.saturated += clipped(from + n) - before;
  }
  /// Codes of an answer of a recorded run.
  Index size_of(const Entry& entry) const {
    return (entry.options.pass == Pass::forward ? info_.output : info_.input).size();
  }
  std::int64_t at_an_end(const Entry& entry, Index first, Index n) {
    const Index size = size_of(entry);
    tape_.output(entry.first + first, n, stored_);
    std::int64_t count = 0;
    for (Index i = 0; i < n; ++i)
      for (Index k = 0; k < size; ++k) {
        const std::uint32_t code = stored_.frames().at(i, k);
        count += code == 0 || code == info_.output.highest();
      }
    return count;
  }
  void answer(Index first, const Frames& out) {
    tape_.output(first, out.count, stored_);
    const Frames stored = stored_.frames();
    for (Index i = 0; i < out.count; ++i)
      std::memcpy(static_cast<std::byte*>(out.data) + i * out.size * out.bytes,
                  static_cast<const std::byte*>(stored.data) + i * stored.size * stored.bytes,
                  static_cast<std::size_t>(out.size * out.bytes));
  }

  recording::Tape tape_;
  Settings state_;  ///< "info.*" and "settings.*" at the place
  DeviceInfo info_;
  ParamSet params_;
  Place place_;
  EndsBefore ends_ = {};
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
