#include "driver/recorder/recording.hpp"

#include <chrono>

#include "driver/recorder/tape_writer.hpp"

namespace lightloop {
using namespace recording;

struct Recording::Impl {
  const Session& session;
  Settings last;  ///< description and settings after the last event
  TapeWriter tape;
  std::int64_t generation = 0;
  bool open = true;

  Impl(const std::string& path, const Session& recorded)
      : session(recorded),
        last(state_of(session.info(), session.settings(), false)),
        tape(path, session.address(), session.info(), session.settings()) {}

  /// The rows an event points at are in the file before the event is.
  void add(Event kind, Index first, Index count, const RunOptions& options = {}, const RunReport& report = {}) {
    h5::Appender& stream = tape.stream();
    stream.flush();
    const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    const std::int64_t numbers[] = {first,
                                    count,
                                    static_cast<std::int64_t>(options.first_frame_id),
                                    options.pass == Pass::transposed,
                                    generation,
                                    report.codes,
                                    report.saturated};
    const double costs[] = {report.device_s, report.device_j, now};
    const auto code = static_cast<std::uint8_t>(kind);
    stream.put(0, std::span(&code, 1));
    for (std::size_t i = 0; i < std::size(numbers); ++i) stream.put(1 + i, std::span(&numbers[i], 1));
    for (std::size_t i = 0; i < std::size(costs); ++i) stream.put(kFirstCost + i, std::span(&costs[i], 1));
    stream.end_row(kEvents);
    stream.flush();
  }
};

Recording::Recording(std::string path, const Session& session) : impl_(std::make_unique<Impl>(path, session)) {}
Recording::~Recording() = default;

std::int64_t Recording::frames() const { return impl_->tape.stream().rows(kFrames); }

void Recording::on_run(const ConstFrames& in, const ConstFrames& out, const RunOptions& options,
                       const RunReport& report) {
  if (!impl_->open || in.count == 0) return;
  impl_->add(Event::run, impl_->tape.put_frames(in, out), in.count, options, report);
}

void Recording::on_program(const ConstFrames& codes) {
  if (impl_->open) impl_->add(Event::program, impl_->tape.put_programme(codes), 1);
}

void Recording::on_configure() {
  Impl& to = *impl_;
  if (!to.open) return;
  to.tape.check_format(to.session.info());
  const Settings all = state_of(to.session.info(), to.session.settings(), false);
  Settings changes;
  for (const auto& [key, value] : all)
    if (to.last.at(key) != value) changes.insert({key, value});
  if (changes.empty()) return;
  ++to.generation;
  const std::string text = format_settings(changes);
  const Index first = to.tape.put_bytes(std::as_bytes(std::span(text)));
  to.add(Event::configure, first, static_cast<Index>(text.size()));
  to.last = all;
}

void Recording::on_reset() {
  if (impl_->open) impl_->add(Event::reset, 0, 0);
}
void Recording::on_restore() {
  if (impl_->open) impl_->add(Event::restore, 0, 0);
}

void Recording::close() {
  impl_->open = false;
  impl_->tape.stream().close();
}

std::shared_ptr<Recording> record(Session& session, std::string path) {
  auto recording = std::make_shared<Recording>(std::move(path), session);
  session.observe(recording);
  return recording;
}

}  // namespace lightloop
