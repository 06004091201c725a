#pragma once
// Ctrl-C and SIGTERM as a question the training loop asks after every step.

namespace lightloop::command {

/// From construction to destruction the first SIGINT or SIGTERM only sets `requested()`; a second one ends the process.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  bool requested() const;
};

}  // namespace lightloop::command
