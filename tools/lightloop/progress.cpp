#include "tools/lightloop/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "tools/lightloop/text.hpp"

namespace lightloop::command {

Progress::Progress(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) != 0) {}

void Progress::start(const TrainPlan& plan) {
  title_ = plan.title;
  epochs_ = plan.epochs;
  steps_ = plan.steps;
  done_ = 0;
  samples_per_step_ = plan.samples_per_step;
}

void Progress::step(Index epoch, Index step, Index steps, double loss) {
  if (quiet_ || !terminal_) return;
  const auto now = Clock::now();
  if (++done_ == 1) started_ = now;
  if (now - shown_ < std::chrono::milliseconds(100) || done_ == 1) return;
  shown_ = now;
  const double elapsed = std::chrono::duration<double>(now - started_).count();
  const double rate = static_cast<double>(done_ - 1) / elapsed;
  std::fprintf(stderr, "\r\033[K%s  epoch %td/%td  %3.0f %%  loss %.3f  %.0f samples/s  %s left", title_.c_str(), epoch,
               epochs_, 100.0 * static_cast<double>(step) / static_cast<double>(steps), loss, rate * samples_per_step_,
               duration(static_cast<double>(steps_ - done_) / rate).c_str());
  std::fflush(stderr);
  moving_ = true;
}

void Progress::epoch(const EpochResult& result) {
  if (quiet_) return;
  clear();
  std::fprintf(stderr, "%s  epoch %td/%td  loss %.4f  ", title_.c_str(), result.epoch, epochs_, result.train_loss);
  if (std::isfinite(result.test_accuracy))
    std::fprintf(stderr, "test accuracy %s", percent(result.test_accuracy).c_str());
  else
    std::fprintf(stderr, "test loss %.4g", result.test_loss);
  const auto finite = [](double cosine) { return std::isfinite(cosine); };
  const bool signals = std::ranges::any_of(result.alignment, finite);
  const char* title = signals ? "  alignment" : "  gradient alignment";
  for (const double cosine : signals ? result.alignment : result.gradient_alignment) {
    if (!finite(cosine)) continue;
    std::fprintf(stderr, "%s %.2f", title, cosine);
    title = "";
  }
  if (result.device_frames > 0) std::fprintf(stderr, "  frames %s", grouped(result.device_frames).c_str());
  std::fprintf(stderr, "  %s", duration(result.train_s).c_str());
  if (std::isfinite(result.waited_s)) std::fprintf(stderr, ", %s of it waiting", duration(result.waited_s).c_str());
  std::fputc('\n', stderr);
}

void Progress::end() { clear(); }

void Progress::clear() {
  if (moving_) std::fputs("\r\033[K", stderr);
  moving_ = false;
}

}  // namespace lightloop::command
