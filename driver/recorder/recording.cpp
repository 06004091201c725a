#include "driver/recorder/recording.hpp"

#include <chrono>
#include <utility>

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

  /// What has changed since the last note.
  Settings news() {
    Settings all = state_of(session.info(), session.settings(), false);
    Settings found = changes(last, all);
    last = std::move(all);
    return found;
  }
  /// First row and bytes of a note.
  std::pair<Index, Index> put_note(const Settings& note) {
    const std::string text = format_settings(note);
    const Index first = tape.put_bytes(std::as_bytes(std::span(text)));
    return {first, static_cast<Index>(text.size())};
  }
  /// A note of what has changed, where anything has.
  std::pair<Index, Index> put_news() {
    const Settings found = news();
    return found.empty() ? std::pair<Index, Index>{0, 0} : put_note(found);
  }
  /// The rows an event points at are in the file before the event is.
  void add(Event kind, Index first, Index count, const RunOptions& options = {}, const RunReport& report = {},
           std::pair<Index, Index> note = {0, 0}) {
    h5::Appender& stream = tape.stream();
    stream.flush();
    const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    const std::int64_t numbers[] = {first,
                                    count,
                                    static_cast<std::int64_t>(options.first_frame_id),
                                    options.pass == Pass::transposed,
                                    generation,
                                    report.codes,
                                    report.saturated,
                                    note.first,
                                    note.second};
    static_assert(std::size(numbers) == std::size(kEventNumbers));
    const double costs[] = {report.device_s, report.device_j, now};
    static_assert(std::size(costs) == std::size(kEventCosts));
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
  Impl& to = *impl_;
  if (!to.open) return;
  RunReport took;
  took.device_s = to.session.info().cost.program_s;
  took.device_j = to.session.info().cost.program_j;
  const auto note = to.put_news();  // what the device draws may follow its programme
  to.add(Event::program, to.tape.put_programme(codes), 1, {}, took, note);
}

void Recording::on_configure() {
  Impl& to = *impl_;
  if (!to.open) return;
  to.tape.check_format(to.session.info());
  const Settings news = to.news();
  if (news.empty()) return;
  ++to.generation;
  const auto [first, bytes] = to.put_note(news);
  to.add(Event::configure, first, bytes);
}

void Recording::on_reset() {
  if (impl_->open) impl_->add(Event::reset, 0, 0);
}
void Recording::on_restore() {
  if (impl_->open) impl_->add(Event::restore, 0, 0, {}, {}, impl_->put_news());
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
