#pragma once
#include <pybind11/pybind11.h>

#include <memory>
#include <mutex>

#include "driver/api/session.hpp"

namespace lightloop::python {

/// A Session that several Python threads may hold: the interpreter is let go while the device works, so calls queue
/// here.
struct SharedSession {
  std::shared_ptr<Session> session;
  std::mutex busy;

  ~SharedSession() {
    // closing waits for the device's thread, which may be about to run Python
    if (PyGILState_Check()) {
      pybind11::gil_scoped_release release;
      session.reset();
    }
  }
};

/// Adds what does not wait: tickets, states, events, recording.
void register_tickets(pybind11::module_& m, pybind11::class_<SharedSession>& session);

/// Adds sweeps, and sessions that were opened by one.
void register_sweeps(pybind11::module_& m, pybind11::class_<SharedSession>& session);

/// Calls body(session) without the interpreter lock, one caller at a time.
template <class Body>
auto without_interpreter(SharedSession& shared, Body&& body) {
  pybind11::gil_scoped_release release;  // before the mutex, or two threads would wait for each other
  const std::lock_guard lock(shared.busy);
  return body(*shared.session);
}

}  // namespace lightloop::python
