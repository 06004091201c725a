#include "driver/api/session.hpp"

#include <algorithm>
#include <cstring>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/sealed.hpp"
#include "driver/api/opening.hpp"
#include "driver/api/registry.hpp"
#include "driver/api/session_core.hpp"
#include "driver/api/session_snapshot.hpp"

namespace lightloop {
namespace {

void copy(const ConstFrames& from, FrameBuffer& to) {
  to.resize(from.bytes, from.size, from.count);
  const auto bytes = static_cast<std::size_t>(from.count * from.size * from.bytes);
  if (bytes > 0) std::memcpy(to.frames().data, from.data, bytes);
}

/// Frames that stay when the caller's memory goes.
void copy_input(const ConstFrames& in, SessionJob& job) {
  copy(in, job.own_in);
  job.in = std::as_const(job.own_in).frames();
  if (in.aux.cols() == 0) return;
  job.own_aux.resize(in.aux.rows(), in.aux.cols());
  for (Index r = 0; r < in.aux.rows(); ++r) std::ranges::copy(in.aux.row(r), job.own_aux.row(r).begin());
  job.in.aux = job.own_aux.view();
}

std::shared_ptr<SessionJob> new_run(SessionCore& core, const RunOptions& options) {
  auto job = core.jobs_->take();
  job->what = "run";
  job->frames = true;
  job->options = options;
  job->options.numbers = nullptr;
  if (!options.deadline && core.policy_.deadline_s > 0)
    job->options.deadline = SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(
                                                     std::chrono::duration<double>(core.policy_.deadline_s));
  check_deadline(job->options, core.info_.model);
  job->work = [&core](SessionJob& self) { core.run(self); };  // the thread that calls it owns the core
  return job;
}

}  // namespace

Session::Session(std::unique_ptr<Device> device, std::string address, const Settings& policy)
    : core_(std::make_shared<SessionCore>(Opener{}, std::move(address), policy)) {
  LIGHTLOOP_ASSERT(device != nullptr);
  core_->start(std::move(device));
}

Session::Session(Opener open, std::string address, const Settings& policy)
    : core_(std::make_shared<SessionCore>(std::move(open), std::move(address), policy)) {
  core_->start(nullptr);
}

Session::~Session() { core_->stop(); }

const DeviceInfo& Session::info() const { return core_->info_; }
const ParamSet& Session::settings() const { return core_->settings_; }
const ParamSet& Session::policy() const { return core_->params_; }
const std::string& Session::address() const { return core_->address_; }

Device& Session::device() const {
  if (!core_->device_) throw LinkError(address(), "there is no open device", "state " + to_string(state()));
  return *core_->device_;
}

RunReport Session::run(ConstFrames in, Frames out, RunOptions options) {
  // Frames that will be cut are checked as a whole first, so that a mistake in the last batch costs no device time.
  if (in.count > info().max_batch || in.count != out.count) check_run(info(), in, out, options.pass);
  const auto job = new_run(*core_, options);
  job->in = in;
  job->out = out;
  if (job->options.deadline) {  // the caller may give up, so the device must not know the caller's memory
    copy_input(in, *job);
    job->own_out.resize(out.bytes, out.size, out.count);
    job->out = job->own_out.frames();
  }
  core_->post(job);
  try {
    core_->wait(job);
  } catch (...) {
    const std::lock_guard lock(core_->mutex_);
    const std::uint64_t first = job->options.first_frame_id;
    if (core_->next_frame_id_ == first + static_cast<std::uint64_t>(in.count)) core_->next_frame_id_ = first;
    throw;
  }
  if (job->options.deadline && out.count > 0)
    std::memcpy(out.data, job->own_out.frames().data, static_cast<std::size_t>(out.count * out.size * out.bytes));
  return job->report;
}

Ticket Session::submit(ConstFrames in, RunOptions options) {
  const auto job = new_run(*core_, options);
  FrameFormat output = info().output;
  if (options.pass == Pass::transposed) output.shape = info().input.shape;
  job->own_out.resize(output, in.count);
  job->out = job->own_out.frames();
  check_run(info(), in, job->out, options.pass);
  copy_input(in, *job);
  core_->post(job);
  return {core_, job};
}

void Session::program(ConstFrames codes) {
  const auto own = std::make_shared<FrameBuffer>();
  copy(codes, *own);
  core_->call("program", [core = core_.get(), own](SessionJob& job) { core->write(job, *own); });
}

void Session::configure(const Settings& changes) {
  core_->call("configure", [core = core_.get(), changes](SessionJob& job) {
    core->device_->configure(changes);
    core->commit(job, [&] {
      core->info_ = core->device_->describe();
      core->settings_ = core->device_->settings();
      ++core->generation_;
    });
    core->remember_settings();
    if (const auto told = core->observer()) told->on_configure();
  });
}

void Session::reset() {
  core_->call("reset", [core = core_.get()](SessionJob&) {
    core->settle_cells();
    core->device_->reset();
    core->remember();
    if (const auto told = core->observer()) told->on_reset();
  });
}

SelfTest Session::self_test() {
  const auto result = std::make_shared<SelfTest>();
  core_->call("self-test", [core = core_.get(), result](SessionJob&) { *result = core->device_->self_test(); });
  return *result;
}

std::vector<Monitor> Session::monitors() {
  const auto result = std::make_shared<std::vector<Monitor>>();
  core_->call("look at the monitors",
              [core = core_.get(), result](SessionJob&) { *result = core->device_->monitors(); });
  return *result;
}

std::vector<std::byte> Session::snapshot() const {
  const auto state = std::make_shared<std::vector<std::byte>>();
  core_->call("snapshot", [core = core_.get(), state](SessionJob&) { *state = core->device_->snapshot(); });
  ByteWriter bytes;
  bytes.put(kSessionSnapshot);
  bytes.put(next_frame_id());
  bytes.put(meter());
  bytes.put(programme());
  bytes.put_all(std::span<const std::byte>(*state));
  return sealed(bytes.take());
}

void Session::restore(const std::vector<std::byte>& state) {
  const SessionSnapshot then = read_session_snapshot(state);
  core_->call("restore", [core = core_.get(), next = then.next_frame_id, meter = then.meter,
                          programme = then.programme ? *then.programme : programme(),
                          memory = std::vector<std::byte>(then.memory.begin(), then.memory.end())](SessionJob& job) {
    core->device_->restore(memory);
    if (!memory.empty()) core->cells_unknown_ = false;
    core->remember();
    if (core->info_.program && !memory.empty()) core->programme_state_ = memory;
    core->commit(job, [&] {
      core->info_ = core->device_->describe();  // of what was programmed then, at the clock of then
      core->settings_ = core->device_->settings();
      core->next_frame_id_ = next;
      core->meter_ = meter;
      if (core->info_.program && !memory.empty()) core->written_ = programme;
    });
    if (const auto told = core->observer()) told->on_restore();
  });
}

SessionState Session::state() const { return core_->state(); }

std::vector<SessionEvent> Session::events(std::int64_t from) const {
  const std::lock_guard lock(core_->mutex_);
  const auto first = std::ranges::find_if(core_->events_, [&](const SessionEvent& one) { return one.number >= from; });
  return {first, core_->events_.end()};
}

Provenance Session::provenance(const RunReport& report) const {
  const DeviceInfo& of = info();
  const auto last = report.first_frame_id + static_cast<std::uint64_t>(std::max<std::int64_t>(report.frames, 1)) - 1;
  return {.device = address(),
          .model = of.model,
          .serial = of.serial,
          .version = of.version,
          .calibration_id = of.calibration_id,
          .generation = report.generation,
          .first_frame_id = report.first_frame_id,
          .last_frame_id = last,
          .first_exposure = report.first_exposure,
          .last_exposure = report.last_exposure,
          .saturation = report.codes ? static_cast<double>(report.saturated) / static_cast<double>(report.codes) : 0.0,
          .retries = report.retries};
}

void Session::close() { core_->close(); }

void Session::reopen() {
  if (!core_->can_reopen())
    throw Unsupported(address(), "reopen()", "the session was given an open device", "Make it with open_session().");
  const auto job = std::make_shared<SessionJob>();
  job->what = "reopen";
  job->work = [core = core_.get()](SessionJob& self) { core->reopen(self); };
  core_->post(job);
  core_->wait(job);
}

std::shared_ptr<void> Session::lease(const std::string& holder) { return core_->lease(holder); }

void Session::observe(std::shared_ptr<SessionObserver> observer) {
  const std::lock_guard lock(core_->mutex_);
  core_->observer_ = std::move(observer);
}

Meter Session::meter() const {
  const std::lock_guard lock(core_->mutex_);
  return core_->meter_;
}

void Session::count(const RunReport& beside) {
  const std::lock_guard lock(core_->mutex_);
  core_->meter_.frames += beside.frames;
  core_->meter_.device_s += beside.device_s;
  core_->meter_.device_j += beside.device_j;
}

std::uint64_t Session::programme() const {
  const std::lock_guard lock(core_->mutex_);
  return core_->written_;
}

std::uint64_t Session::next_frame_id() const {
  const std::lock_guard lock(core_->mutex_);
  return core_->next_frame_id_;
}

void Session::continue_at(std::uint64_t frame_id) {
  const std::lock_guard lock(core_->mutex_);
  core_->next_frame_id_ = frame_id;
}

std::unique_ptr<Session> open_session(const Registry& registry, const std::string& address, const Settings& extra) {
  DeviceAddress parsed = parse_address(address);
  for (const auto& [key, value] : extra) parsed.settings[key] = value;
  const Settings policy = below(parsed.settings, "session");
  parsed.settings = without_session(std::move(parsed.settings));
  const auto open = [known = std::make_shared<Registry>(registry), parsed] { return known->open(parsed); };
  return std::make_unique<Session>(Session::Opener(open), address, policy);
}

}  // namespace lightloop
