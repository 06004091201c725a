#pragma once
// Ctrl-C, SIGTERM and a lost terminal as a question the training loop asks after every step.

namespace lightloop::command {

/// From construction to destruction the first SIGINT, SIGTERM or SIGHUP (unless nohup) only sets `requested()`; a
/// second one ends the process. A closed pipe (SIGPIPE) ends nothing meanwhile.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  bool requested() const;
};

}  // namespace lightloop::command
