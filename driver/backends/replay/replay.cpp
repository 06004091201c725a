#include "driver/backends/replay/replay.hpp"

#include <algorithm>
#include <cstring>

#include "core/bytes.hpp"
#include "core/error.hpp"
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
  explicit Replay(const std::string& path) : tape_(path), info_(description(0)), params_(tape_.settings()) {}

  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }

  void configure(const Settings& changes) override {
    check_open(open_);
    const ParamSet next = changed(changes);
    if (next.all() == params_.all()) return;
    expect(Event::configure, "configure(" + format_settings(changes) + ")");
    const ParamSet recorded = tape_.settings(place_.entry + 1);
    for (const ParamInfo& info : next.infos())
      if (next.value(info.name) != recorded.value(info.name))
        throw differs("setting " + info.name + " becomes " + to_string(next.value(info.name)),
                      to_string(recorded.value(info.name)));
    go_on();
  }

  RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
    check_open(open_);
    check_frames(in, out, options);
    RunReport report;
    Place at = place_;
    for (Index done = 0; done < in.count;) {
      if (at.entry == tape_.entries().size()) throw ended(in.count - done);
      const Entry& entry = tape_.entries()[at.entry];
      if (entry.event != Event::run) throw differs(at, "run of " + std::to_string(in.count) + " frames", name(entry));
      const Index n = std::min(in.count - done, entry.count - at.frame);
      RunOptions part = options;
      part.first_frame_id += static_cast<std::uint64_t>(done);
      compare(at, in.slice(done, n), part);
      answer(entry.first + at.frame, out.slice(done, n));
      report.frames += n;
      report.codes += n * out.size;
      at.frame += n;
      done += n;
      if (at.frame < entry.count) continue;
      report.saturated += entry.report.saturated;
      report.device_s += entry.report.device_s;
      report.device_j += entry.report.device_j;
      at = {at.entry + 1, 0};
    }
    place_ = at;
    return report;
  }

  void program(ConstFrames codes) override {
    check_open(open_);
    check_program(codes);
    expect(Event::program, "program");
    FrameBuffer recorded;
    tape_.programme(tape_.entries()[place_.entry].first, recorded);
    compare_codes(place_, "programme code", codes, 0, recorded.frames(), 0);
    go_on();
  }

  void reset() override {
    check_open(open_);
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
    // a restore that was recorded goes on with the recording; any other one goes back in it
    const bool recorded = place_.entry < entries.size() && entries[place_.entry].event == Event::restore;
    place_ = recorded ? Place{place_.entry + 1, 0} : place;
    info_ = description(place_.entry);
    params_ = tape_.settings(place_.entry);
  }

  SelfTest self_test() override {
    check_open(open_);
    return {true, "a recording of " + tape_.device() + " with " + std::to_string(tape_.frames()) + " frames"};
  }
  void close() override { open_ = false; }

 private:
  /// Whatever the device could tell of its exposures: here every frame is held against the record itself.
  DeviceInfo description(std::size_t entry) const {
    DeviceInfo info = tape_.info(entry);
    info.pairing = Pairing::certain;
    return info;
  }
  std::string where(const Place& at) const {
    const auto& entries = tape_.entries();
    std::string text = "replay:" + tape_.path() + " at ";
    if (at.entry < entries.size() && entries[at.entry].event == Event::run)
      return text + "frame " + std::to_string(entries[at.entry].first + at.frame) + " (id " +
             std::to_string(entries[at.entry].options.first_frame_id + static_cast<std::uint64_t>(at.frame)) + ")";
    return text + "event " + std::to_string(at.entry);
  }
  InvalidParameter differs(const Place& at, const std::string& got, const std::string& recorded) const {
    return {where(at), got, "recorded: " + recorded, kHint};
  }
  InvalidParameter differs(const std::string& got, const std::string& recorded) const {
    return differs(place_, got, recorded);
  }
  InvalidParameter ended(Index frames) const {
    return {"replay:" + tape_.path(), "asked for " + std::to_string(frames) + " frames more",
            "the recording ends after " + std::to_string(tape_.frames()) + " frames", kHint};
  }
  void expect(Event event, const std::string& asked) const {
    if (place_.entry == tape_.entries().size()) throw differs(asked, "nothing more");
    const Entry& entry = tape_.entries()[place_.entry];
    if (entry.event != event) throw differs(asked, name(entry));
  }
  /// Past the present event, which is no run.
  void go_on() {
    const bool changes = tape_.entries()[place_.entry].event == Event::configure;
    place_ = {place_.entry + 1, 0};
    if (!changes) return;
    info_ = description(place_.entry);
    params_ = tape_.settings(place_.entry);
  }

  void compare(Place at, const ConstFrames& in, const RunOptions& options) {
    const Entry& entry = tape_.entries()[at.entry];
    if (options.pass != entry.options.pass)
      throw differs(at, name(options.pass) + " pass", name(entry.options.pass) + " pass");
    const std::uint64_t id = entry.options.first_frame_id + static_cast<std::uint64_t>(at.frame);
    if (options.first_frame_id != id)
      throw differs(at, "frame id " + std::to_string(options.first_frame_id), std::to_string(id));
    tape_.input(entry.first + at.frame, in.count, stored_);
    const Matrix<std::uint16_t> aux = tape_.aux(entry.first + at.frame, in.count);
    for (Index i = 0; i < in.count; ++i, ++at.frame) {
      compare_codes(at, "input code", in, i, std::as_const(stored_).frames(), i);
      for (Index c = 0; c < aux.cols(); ++c) {
        const auto& format = info_.aux_inputs[static_cast<std::size_t>(c)];
        const std::uint32_t got = in.aux.cols() > 0 ? in.aux(i, c) : format.rest;
        if (got != aux(i, c))
          throw differs(at, "auxiliary code " + format.name + " is " + std::to_string(got), std::to_string(aux(i, c)));
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
        throw differs(at, std::string(what) + " " + std::to_string(k) + " is " + std::to_string(got.at(i, k)),
                      std::to_string(stored.at(j, k)));
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
  DeviceInfo info_;
  ParamSet params_;
  Place place_;
  FrameBuffer stored_;
  bool open_ = true;
};

std::unique_ptr<Device> open(const DeviceAddress& address) {
  auto device = std::make_unique<Replay>(address.target);
  ParamSet asked = device->settings();
  asked.set(address.settings);
  for (const ParamInfo& info : asked.infos())
    if (asked.value(info.name) != device->settings().value(info.name))
      throw InvalidParameter("setting " + info.name + " of replay:" + address.target, to_string(asked.value(info.name)),
                             "recorded: " + to_string(device->settings().value(info.name)),
                             "A recording has the settings it was made with; leave them out.");
  return device;
}
}  // namespace

Backend backend() {
  return [](const DeviceAddress& address, const Registry&) { return open(address); };
}

}  // namespace lightloop::replay
