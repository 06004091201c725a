#include "driver/recorder/check_recording.hpp"

#include <mutex>
#include <utility>

#include "core/error.hpp"
#include "driver/api/registry.hpp"
#include "driver/recorder/call.hpp"
#include "driver/recorder/tape_writer.hpp"

namespace lightloop {
using namespace recording;

namespace {
std::vector<h5::Column> call_columns() {
  using Kind = h5::Column::Kind;
  std::vector<h5::Column> columns = {{"/calls/kind", Kind::uint8, {}, "1", kCalls}};
  for (const char* name : kCallNumbers)
    columns.push_back({std::string("/calls/") + name, Kind::int64, {}, "1", kCalls});
  columns.push_back({"/calls/device_s", Kind::float64, {}, "s", kCalls});
  columns.push_back({"/calls/device_j", Kind::float64, {}, "J", kCalls});
  return columns;
}

}  // namespace

/// The file; several devices write to it, not always from the same thread.
struct CheckRecording::Writer {
  std::mutex mutex;
  const Settings start;
  TapeWriter tape;
  std::int64_t claims = 0, opened = 0;  ///< so far; devices of the present one

  Writer(const std::string& path, const std::string& address, const Device& device)
      : start(state_of(device.describe(), device.settings(), false)),
        tape(path, address, device.describe(), device.settings(), call_columns(),
             {{"format_minor", kMinorVersion}, {"call_kinds", std::string(kCallKinds)}}) {}

  void claim(const std::string& name) {
    const std::lock_guard lock(mutex);
    ++claims;
    opened = 0;
    Call call;
    call.note["asked"] = name;
    tape.stream().flush();  // the claim before
    add(call);
  }

  /// An opening, or a refused one; false: of a claim that has ended.
  bool open(Call& call, std::int64_t claim) {
    const std::lock_guard lock(mutex);
    if (claim != claims) return false;
    call.kind = CallKind::open;
    call.device = opened++;
    add(call);
    return true;
  }
  std::int64_t claim_number() {
    const std::lock_guard lock(mutex);
    return claims;
  }

  /// With `mutex` held.
  void add(const Call& call) {
    const std::string note = format_settings(call.note);
    const Index note_first = tape.put_bytes(std::as_bytes(std::span(note)));
    const Index state_first = tape.put_bytes(call.state);
    h5::Appender& stream = tape.stream();
    const std::int64_t numbers[] = {call.device,
                                    call.first,
                                    call.count,
                                    static_cast<std::int64_t>(call.first_frame_id),
                                    call.pass == Pass::transposed,
                                    call.report.frames,
                                    call.report.codes,
                                    call.report.saturated,
                                    note_first,
                                    static_cast<std::int64_t>(note.size()),
                                    state_first,
                                    static_cast<std::int64_t>(call.state.size())};
    static_assert(std::size(numbers) == std::size(kCallNumbers));
    const double costs[] = {call.report.device_s, call.report.device_j};
    const auto code = static_cast<std::uint8_t>(call.kind);
    std::size_t column = tape.first_more();
    stream.put(column++, std::span(&code, 1));
    for (const std::int64_t& number : numbers) stream.put(column++, std::span(&number, 1));
    for (const double& cost : costs) stream.put(column++, std::span(&cost, 1));
    stream.end_row(kCalls);
  }
};

namespace {

/// Passes everything on and writes it down, until its claim has ended: a call that a Session left behind may return
/// during the next one.
class Recorded : public Device, public Ensemble {
 public:
  Recorded(std::unique_ptr<Device> device, std::shared_ptr<CheckRecording::Writer> writer, std::int64_t claim,
           const Settings& asked)
      : device_(std::move(device)), writer_(std::move(writer)), claim_(claim), state_(writer_->start) {
    Call call;
    call.note["asked"] = asked_open(asked);
    if (device_->ensemble() != nullptr) call.note["ensemble"] = true;
    put_news(call);
    writer_->open(call, claim_);
    number_ = call.device;
  }

  const DeviceInfo& describe() const override { return device_->describe(); }
  const ParamSet& settings() const override { return device_->settings(); }

  void configure(const Settings& wanted) override {
    noted(CallKind::configure, asked_configure(wanted), [&](Call&) { device_->configure(wanted); });
  }
  RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
    return run_with(CallKind::run, in, out, options, [&] { return device_->run(in, out, options); });
  }
  void program(ConstFrames codes) override {
    Call call;
    call.note["asked"] = asked_program(codes);
    call.note["digest"] = digest(codes);
    noted(CallKind::program, call, [&](Call& answered) {
      device_->program(codes);
      if (!can_keep(writer_->tape.opened(), codes)) return;
      const std::lock_guard lock(writer_->mutex);
      if (writer_->claims != claim_) return;
      answered.first = writer_->tape.put_programme(codes);
      answered.count = 1;
      answered.note.erase("digest");
    });
  }
  void reset() override {
    noted(CallKind::reset, "reset", [&](Call&) { device_->reset(); });
  }
  std::vector<std::byte> snapshot() const override {
    std::vector<std::byte> state;
    noted(CallKind::snapshot, "snapshot", [&](Call& call) { call.state = state = device_->snapshot(); });
    return state;
  }
  void restore(const std::vector<std::byte>& state) override {
    noted(CallKind::restore, asked_restore(state), [&](Call&) { device_->restore(state); });
  }
  SelfTest self_test() override {
    SelfTest test;
    noted(CallKind::self_test, "self-test", [&](Call& call) {
      test = device_->self_test();
      call.note["passed"] = test.passed;
      call.note["detail"] = test.detail;
    });
    return test;
  }
  std::vector<Monitor> monitors() const override {
    std::vector<Monitor> all;
    noted(CallKind::monitors, "monitors", [&](Call& call) {
      all = device_->monitors();
      for (std::size_t i = 0; i < all.size(); ++i) {
        const std::string prefix = "monitor." + std::to_string(i);
        call.note[prefix + ".name"] = all[i].name;
        call.note[prefix + ".unit"] = all[i].unit;
        call.note[prefix + ".value"] = all[i].value;
      }
    });
    return all;
  }
  Ensemble* ensemble() override { return device_->ensemble() != nullptr ? this : nullptr; }
  void configure_members(const std::vector<Settings>& members) override {
    noted(CallKind::members, asked_members(members), [&](Call&) { device_->ensemble()->configure_members(members); });
  }
  RunReport run_members(ConstFrames in, Frames out, const RunOptions& options) override {
    return run_with(CallKind::run_members, in, out, options,
                    [&] { return device_->ensemble()->run_members(in, out, options); });
  }
  void close() override {
    noted(CallKind::close, "close", [&](Call&) { device_->close(); });
  }

 private:
  template <class Action>
  void noted(CallKind kind, const std::string& asked, Action&& action) const {
    Call call;
    call.note["asked"] = asked;
    noted(kind, call, action);
  }
  template <class Action>
  void noted(CallKind kind, Call& call, Action&& action) const {
    try {
      action(call);
    } catch (const std::exception& error) {
      put_error(error, call.note);
      write(kind, call);
      throw;
    }
    write(kind, call);
  }
  template <class Action>
  RunReport run_with(CallKind kind, const ConstFrames& in, const Frames& out, const RunOptions& options,
                     Action&& action) {
    Call call;
    call.first_frame_id = options.first_frame_id;
    call.pass = options.pass;
    call.note["asked"] = asked_run(in, out, options);
    call.note["digest"] = digest(in);
    noted(kind, call, [&](Call& answered) {
      answered.report = action();
      if (options.numbers != nullptr) {
        std::string numbers;
        for (Index i = 0; i < in.count; ++i) numbers += (i > 0 ? " " : "") + std::to_string(options.numbers[i]);
        answered.note["numbers"] = numbers;
      }
      if (!can_keep(writer_->tape.opened(), in, out, options.pass)) return;
      const std::lock_guard lock(writer_->mutex);
      if (writer_->claims != claim_) return;
      answered.first = writer_->tape.put_frames(in, out);
      answered.count = in.count;
      answered.note.erase("digest");
    });
    return call.report;
  }
  void write(CallKind kind, Call& call) const {
    call.kind = kind;
    call.device = number_;
    put_news(call);
    const std::lock_guard lock(writer_->mutex);
    if (writer_->claims == claim_) writer_->add(call);
  }
  void put_news(Call& call) const {
    Settings now = state_of(device_->describe(), device_->settings(), false);
    call.note.merge(changes(state_, now));
    state_ = std::move(now);
  }

  const std::unique_ptr<Device> device_;
  const std::shared_ptr<CheckRecording::Writer> writer_;
  const std::int64_t claim_;
  std::int64_t number_ = 0;
  mutable Settings state_;  ///< description and settings after the last call
};

}  // namespace

CheckRecording::CheckRecording(std::string path, std::string device, std::unique_ptr<Candidate> of)
    : of_(std::move(of)) {
  if (parse_address(device).backend == "replay")
    throw Unsupported("recording a check of " + device, "its file is such a recording already", "", "Copy the file.");
  const auto first = of_->open({});
  if (!first) throw DeviceError(device, "opening gave no device");
  writer_ = std::make_shared<Writer>(path, device, *first);
  first->close();
}

CheckRecording::~CheckRecording() = default;

void CheckRecording::begin(const std::string& claim) {
  of_->begin(claim);
  writer_->claim(claim);
}

std::unique_ptr<Device> CheckRecording::open(const Settings& settings) {
  const std::int64_t claim = writer_->claim_number();
  try {
    std::unique_ptr<Device> device = of_->open(settings);
    if (!device) return nullptr;  // there is nothing to be recorded
    return std::make_unique<Recorded>(std::move(device), writer_, claim, settings);
  } catch (const std::exception& error) {
    Call call;
    call.note["asked"] = asked_open(settings);
    put_error(error, call.note);
    writer_->open(call, claim);
    throw;
  }
}

FrameBuffer CheckRecording::frames(const DeviceInfo& info, Index count, std::uint64_t set, Pass pass) const {
  return of_->frames(info, count, set, pass);
}
FrameBuffer CheckRecording::programme(const FrameFormat& format, std::uint64_t set) const {
  return of_->programme(format, set);
}
void CheckRecording::end() { of_->end(); }

void CheckRecording::close() { writer_->tape.stream().close(); }

}  // namespace lightloop
