#pragma once
// What a training run says while it works, on stderr: one moving line on a terminal, one plain line per epoch
// otherwise.
#include <chrono>
#include <string>

#include "training/trainer.hpp"

namespace lightloop::command {

class Progress {
 public:
  explicit Progress(bool quiet);
  void start(const TrainPlan& plan);
  void step(Index epoch, Index step, Index steps, double loss);
  void epoch(const EpochResult& result);
  /// Ends the moving line, if there is one.
  void end();

 private:
  using Clock = std::chrono::steady_clock;
  void clear();
  bool quiet_, terminal_, moving_ = false;
  std::string title_;
  double samples_per_step_ = 0;
  Index epochs_ = 0, steps_ = 0, done_ = 0;
  Clock::time_point started_ = {}, shown_ = {};
};

}  // namespace lightloop::command
