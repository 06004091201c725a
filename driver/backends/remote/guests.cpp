#include "driver/backends/remote/guests.hpp"

#include <random>

#include "core/error.hpp"

namespace lightloop::remote {
namespace {

/// 128 bits from the operating system: an id is all that is needed to keep a session alive.
std::string unguessable() {
  constexpr char kDigits[] = "0123456789abcdef";
  std::random_device source;
  std::string id;
  for (int word = 0; word < 4; ++word) {
    std::uint32_t bits = source();
    for (int digit = 0; digit < 8; ++digit, bits >>= 4) id += kDigits[bits & 15];
  }
  return id;
}

}  // namespace

std::string Guests::enter(ServerWire& wire, std::size_t most) {
  const std::string session = unguessable();
  const std::scoped_lock lock(mutex_);
  if (stopped_) throw LinkError("server", "is being stopped");
  if (guests_.size() >= most)
    throw Refused("server", std::to_string(guests_.size()) + " sessions are open", "at most " + std::to_string(most),
                  "Close some, or start the server with a larger --max-sessions.");
  Guest& guest = guests_[session];
  guest.wire = &wire;
  guest.heard = guest.since = Clock::now();
  return session;
}

void Guests::name(const std::string& session, const std::string& client) {
  const std::scoped_lock lock(mutex_);
  guests_.at(session).client = client;
}

void Guests::leave(const std::string& session) {
  const std::scoped_lock lock(mutex_);
  guests_.erase(session);
}

void Guests::lease(const std::string& session, const std::string& device) {
  const std::scoped_lock lock(mutex_);
  if (const Guest* other = holder_of(device)) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - other->since).count();
    throw Busy("device " + device, "in use by " + other->client, "for " + std::to_string(seconds) + " s",
               "Wait until it is free, or ask its user.");
  }
  Guest& guest = guests_.at(session);
  guest.device = device;
  guest.since = Clock::now();
}

void Guests::release(const std::string& session) {
  const std::scoped_lock lock(mutex_);
  guests_.at(session).device.clear();
}

Guests::Guest* Guests::holder_of(const std::string& device) {
  for (auto& [session, guest] : guests_)
    if (guest.device == device) return &guest;
  return nullptr;
}

std::string Guests::holder(const std::string& device) const {
  const std::scoped_lock lock(mutex_);
  for (const auto& [session, guest] : guests_)
    if (guest.device == device) return guest.client;
  return {};
}

bool Guests::heard(const std::string& session) {
  const std::scoped_lock lock(mutex_);
  const auto found = guests_.find(session);
  if (found == guests_.end()) return false;
  found->second.heard = Clock::now();
  return true;
}

std::vector<std::string> Guests::cancel_silent(Clock::time_point limit) {
  std::vector<std::string> silent;
  const std::scoped_lock lock(mutex_);
  for (auto& [session, guest] : guests_) {
    if (guest.heard >= limit) continue;
    guest.wire->cancel();
    silent.push_back(guest.client);
  }
  return silent;
}

void Guests::stop() {
  const std::scoped_lock lock(mutex_);
  stopped_ = true;
}

void Guests::tell(const v1::FromServer& message) {
  const std::scoped_lock lock(mutex_);
  for (auto& [session, guest] : guests_) guest.wire->write(message);
}

void Guests::cancel_all() {
  const std::scoped_lock lock(mutex_);
  for (auto& [session, guest] : guests_) guest.wire->cancel();
}

std::size_t Guests::count() const {
  const std::scoped_lock lock(mutex_);
  return guests_.size();
}

}  // namespace lightloop::remote
