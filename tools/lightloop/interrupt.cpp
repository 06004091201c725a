#include "tools/lightloop/interrupt.hpp"

#include <csignal>

namespace lightloop::command {
namespace {
volatile std::sig_atomic_t signalled = 0;

void remember(int) { signalled = 1; }
}  // namespace

Interrupt::Interrupt() {
  signalled = 0;
  struct sigaction action = {};
  action.sa_handler = remember;
  action.sa_flags =
      static_cast<int>(SA_RESETHAND) | SA_RESTART;  // the second signal finds the default action: it kills
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  struct sigaction before = {};  // nohup has it ignored, and means that
  if (sigaction(SIGHUP, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // work of hours does not end because nobody reads its progress any more
}

Interrupt::~Interrupt() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  struct sigaction now = {};
  if (sigaction(SIGHUP, nullptr, &now) == 0 && now.sa_handler == remember) std::signal(SIGHUP, SIG_DFL);
  std::signal(SIGPIPE, SIG_DFL);
}

bool Interrupt::requested() const { return signalled != 0; }

}  // namespace lightloop::command
