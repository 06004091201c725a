// Showing frames: pieces, attempts, and whether an answer belongs to its frame. The device's thread only.
#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "driver/api/session_core.hpp"

namespace lightloop {
namespace {

void add(const RunReport& part, RunReport& total) {
  if (total.frames == 0) total.first_exposure = part.first_exposure;
  total.last_exposure = part.last_exposure;
  total.frames += part.frames;
  total.codes += part.codes;
  total.saturated += part.saturated;
  total.device_s += part.device_s;
  total.device_j += part.device_j;
  total.retries += part.retries;
  for (const EnergyPart& one : part.parts) {
    auto found = std::ranges::find(total.parts, one.name, &EnergyPart::name);
    if (found == total.parts.end()) found = total.parts.insert(found, {one.name, 0, 0});
    found->events += one.events;
    found->joules += one.joules;
  }
}

std::string frames_from(std::uint64_t first, Index count) {
  return "frames " + std::to_string(first) + ".." + std::to_string(first + static_cast<std::uint64_t>(count) - 1);
}

void copy_codes(const ConstFrames& from, const Frames& to) {
  std::memcpy(to.data, from.data, static_cast<std::size_t>(from.count * from.size * from.bytes));
}

}  // namespace

bool SessionCore::repeatable() const { return !info_.stateful || (policy_.snapshots && memory_); }

bool SessionCore::check_due() const {
  if (policy_.check_every < 0) return info_.pairing == Pairing::unknown && !info_.stateful;
  return policy_.check_every > 0 && batches_since_check_ + 1 >= policy_.check_every;
}

void SessionCore::run(SessionJob& job) {
  RunReport total;
  total.first_frame_id = job.options.first_frame_id;
  total.generation = generation_;
  Index done = 0;
  do {
    need_device(job);
    RunOptions options = job.options;
    options.first_frame_id += static_cast<std::uint64_t>(done);
    const Index limit = info_.max_batch - (check_due() ? CheckFrames::kFrames : 0);
    const Index n = std::min(limit, job.in.count - done);
    check_deadline(options, info_.model);
    const ConstFrames in = job.in.slice(done, n);
    const Frames out = job.out.slice(done, n);
    const RunReport part = show(job, in, out, options);
    add(part, total);
    if (const auto told = observer()) told->on_run(in, out, options, part);
    done += n;
  } while (done < job.in.count);
  job.report = total;
}

/// Until an answer can be accepted, or it has been tried often enough.
RunReport SessionCore::show(SessionJob& job, const ConstFrames& in, const Frames& out, const RunOptions& options) {
  for (Index attempt = 0;; ++attempt) {
    if (memory_lost_)
      throw LinkError(address_, "the device has lost its memory with the link", "it is stateful",
                      "reset() it, or restore() a snapshot; session.snapshots=true keeps one.");
    bool lost = false;
    std::string why;
    try {
      settle_cells();
      RunReport report = show_once(job, in, out, options);
      report.retries = attempt;
      report.first_frame_id = options.first_frame_id;
      report.generation = generation_;
      commit(job, [&] {
        last_good_time_ = SteadyClock::now();
        if (in.count > 0) last_good_frame_ = options.first_frame_id + static_cast<std::uint64_t>(in.count) - 1;
        if (state_ == SessionState::degraded) state_ = SessionState::ready;
      });
      if (info_.stateful && in.count > 0) keep_memory();
      return report;
    } catch (const FrameError& error) {
      if (!repeatable() || attempt >= policy_.retries) return refuse(job);
      why = error.what();
    } catch (const OnceOnly&) {
      throw;
    } catch (const LinkError& error) {
      if (!can_reopen() || !repeatable() || attempt >= policy_.retries) {
        lose(error.what());
        return refuse(job);
      }
      lost = true;
      why = error.what();
    } catch (const Timeout& error) {
      const bool late = options.deadline && SteadyClock::now() >= *options.deadline;
      if (late || !repeatable() || attempt >= policy_.retries) return refuse(job);
      why = error.what();
    }
    commit(job, [&] {
      ++meter_.retries;
      if (!lost) note(frames_from(options.first_frame_id, in.count) + " shown again: " + why);
    });
    in_step_ = false;
    if (lost)
      lose(why);
    else if (info_.stateful)
      put_memory_back();
    need_device(job);
    check_deadline(options, info_.model);
  }
}

/// Called in a handler: what was caught goes to the caller.
RunReport SessionCore::refuse(SessionJob& job) {
  commit(job, [this] {
    if (state_ == SessionState::ready) state_ = SessionState::degraded;
  });
  throw;
}

RunReport SessionCore::show_once(SessionJob& job, const ConstFrames& in, const Frames& out, const RunOptions& options) {
  const bool check = check_due();
  const auto shown = [&](const Frames& to) {
    return check && in.count > 0 ? expose_checked(job, in, to, options) : expose(job, in, to, options);
  };
  RunReport report = shown(out);
  if (!check && policy_.check_every > 0 && in.count > 0) ++batches_since_check_;
  const auto doubt = [&](const std::string& why) {
    commit(job, [&] { meter_.discarded += in.count; });
    throw FrameError(address_, frames_from(options.first_frame_id, in.count), why);
  };
  if (static_cast<double>(report.saturated) > policy_.max_saturation * static_cast<double>(report.codes))
    doubt(std::to_string(report.saturated) + " of " + std::to_string(report.codes) +
          " codes are clipped, above session.max_saturation");
  if (policy_.repeat && in.count > 0) {
    if (!info_.repeatable)
      throw Unsupported("session.repeat on " + address_, "the device draws new noise for a frame that is repeated");
    if (info_.stateful) {
      if (!repeatable())
        throw Unsupported("session.repeat", "a stateful device", "session.snapshots is needed to repeat its frames");
      put_memory_back();
    }
    again_.resize(out.bytes, out.size, out.count);
    add(shown(again_.frames()), report);
    report.frames = in.count;
    report.codes /= 2;
    report.saturated /= 2;
    if (std::memcmp(again_.frames().data, out.data, static_cast<std::size_t>(out.count * out.size * out.bytes)) != 0)
      doubt("shown twice, they gave two answers");
  }
  return report;
}

/// One call of the device, counted, its exposures held against their frames.
RunReport SessionCore::expose(SessionJob& job, const ConstFrames& in, const Frames& out, RunOptions options) {
  const bool counted = info_.pairing == Pairing::counted && in.count > 0;
  if (counted) {
    numbers_.assign(static_cast<std::size_t>(in.count), 0);
    options.numbers = numbers_.data();
  }
  RunReport report = device_->run(in, out, options);
  commit(job, [&] {
    meter_.batches += in.count > 0;
    meter_.frames += report.frames;
    meter_.codes += report.codes;
    meter_.saturated += report.saturated;
    meter_.device_s += report.device_s;
    meter_.device_j += report.device_j;
  });
  if (!counted) return report;
  const std::uint64_t before = last_number_;
  last_number_ = *std::ranges::max_element(numbers_);
  std::string wrong;
  // after a fault numbers may have been skipped, but none comes again
  if (in_step_ ? numbers_[0] != before + 1 : numbers_[0] <= before)
    wrong = "exposure " + std::to_string(numbers_[0]) + " follows " + std::to_string(before);
  for (std::size_t i = 1; i < numbers_.size() && wrong.empty(); ++i)
    if (numbers_[i] != numbers_[i - 1] + 1)
      wrong = "exposure " + std::to_string(numbers_[i]) + " follows " + std::to_string(numbers_[i - 1]);
  if (!wrong.empty()) {
    commit(job, [&] { meter_.discarded += in.count; });
    throw FrameError(address_, frames_from(options.first_frame_id, in.count) + " are out of step", wrong,
                     "Pictures were lost, doubled or shifted.");
  }
  in_step_ = true;
  report.first_exposure = numbers_.front();
  report.last_exposure = numbers_.back();
  return report;
}

/// With check frames behind the batch, after a lesson where they are not known yet.
RunReport SessionCore::expose_checked(SessionJob& job, const ConstFrames& in, const Frames& out,
                                      const RunOptions& options) {
  if (info_.stateful)
    throw Unsupported("session.check_every", "check frames would change a stateful device", "", "Set it to 0.");
  if (info_.max_batch <= CheckFrames::kLesson)
    throw Unsupported("session.check_every", "batches of " + std::to_string(info_.max_batch) + " frames",
                      "more than " + std::to_string(CheckFrames::kLesson), "Set it to 0.");
  const auto frames = [&](const ConstFrames& head, Index places, Index first_place) {
    framed_in_.resize(in.bytes, in.size, head.count + places);
    framed_out_.resize(out.bytes, out.size, head.count + places);
    if (head.count > 0) copy_codes(head, framed_in_.frames().slice(0, head.count));
    for (Index i = 0; i < places; ++i)
      checks_.pattern(info_.input, in.size, first_place + i, framed_in_.frames(), head.count + i);
    ConstFrames all = framed_in_.frames();
    if (head.aux.cols() > 0) {
      framed_aux_.resize(all.count, head.aux.cols());
      for (Index r = 0; r < all.count; ++r)
        for (Index c = 0; c < head.aux.cols(); ++c)
          framed_aux_(r, c) = r < head.count
                                  ? head.aux(r, c)
                                  : static_cast<std::uint16_t>(info_.aux_inputs[static_cast<std::size_t>(c)].rest);
      all.aux = framed_aux_.view();
    }
    commit(job, [&] { meter_.checks += places; });
    return expose(job, all, framed_out_.frames(), options);
  };
  if (!checks_.learnt(options.pass, generation_)) {
    frames(ConstFrames(in.slice(0, 0)), CheckFrames::kLesson, 0);
    checks_.learn(address_, framed_out_.frames(), options.pass, generation_, info_.deterministic);
  }
  RunReport report = frames(in, CheckFrames::kFrames, 1);
  const ConstFrames pictures = framed_out_.frames();
  try {
    checks_.verify(address_, pictures, in.count, options.pass);
  } catch (const FrameError& error) {
    commit(job, [&] { meter_.discarded += in.count; });
    if (batches_since_check_ == 0) throw;
    const Index unsure = batches_since_check_;
    batches_since_check_ = 0;
    // not a FrameError: showing this batch again would not tell whether the ones before it were right
    throw Error(address_,
                "the last " + std::to_string(unsure) + " batches before frame " +
                    std::to_string(options.first_frame_id) + " may have wrong answers",
                error.what(), "session.check_every=1 finds it before an answer is used.");
  }
  batches_since_check_ = 0;
  copy_codes(pictures.slice(0, in.count), out);
  report.frames = in.count;
  report.codes = in.count * out.size;
  report.saturated = std::min(report.saturated, report.codes);
  return report;
}

}  // namespace lightloop
