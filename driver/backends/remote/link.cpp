#include "driver/backends/remote/link.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "driver/backends/remote/messages.hpp"
#include "driver/backends/remote/remote.pb.h"

namespace lightloop::remote {
namespace {

std::size_t payload_of(const v1::FromServer& message) {
  return message.has_chunk() ? message.chunk().payload().size() : message.reply().payload().size();
}

std::string seconds_since(Link::Clock::time_point time) {
  const double seconds = std::chrono::duration<double>(Link::Clock::now() - time).count();
  return std::to_string(static_cast<long>(seconds)) + "." + std::to_string(static_cast<long>(seconds * 10) % 10) +
         " s ago";
}

}  // namespace

Link::Link(std::unique_ptr<ClientWire> wire, std::string name, const std::string& client, Clock::time_point deadline)
    : wire_(std::move(wire)),
      name_(std::move(name)),
      message_(std::make_unique<v1::FromServer>()),
      last_event_("none yet"),
      last_time_(Clock::now()) {
  v1::FromClient hello;
  hello.mutable_hello()->set_version(kVersion);
  hello.mutable_hello()->set_client(client);
  hello.mutable_hello()->set_window(kWindow);
  reader_ = std::thread([this] { read_all(); });
  try {
    require_write(hello, deadline);
    if (!next(*message_, deadline)) raise_late("the server's greeting");
    if (!message_->has_welcome()) violation("the server does not answer the Hello");
    const v1::Welcome& welcome = message_->welcome();
    if (welcome.version() != kVersion)
      throw LinkError(name_,
                      "the server speaks version " + std::to_string(welcome.version()) + ", this client version " +
                          std::to_string(kVersion),
                      "", "Use the same release of Lightloop on both sides.");
    if (welcome.chunk() == 0 || welcome.window() < welcome.chunk() || !(welcome.timeout_s() > 0) ||
        !std::isfinite(welcome.timeout_s()))
      violation("a Welcome that cannot be");
    session_ = welcome.session();
    timeout_s_ = std::min(welcome.timeout_s(), 3600.0);
    window_ = welcome.window();
    chunk_ = std::min<std::size_t>(welcome.chunk(), kChunk);
    last_event_ = "the greeting";
    last_time_ = Clock::now();
  } catch (...) {
    wire_->cancel();
    finish();
    throw;
  }
  heart_ = std::thread([this] { beat_on(); });
}

Link::~Link() { finish(); }

void Link::finish() {
  constexpr auto kPatience = std::chrono::seconds(2);
  {
    std::unique_lock lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
    stirred_.notify_all();
    room_.notify_all();
    if (!ended_) {
      lock.unlock();
      wire_->done();
      lock.lock();
      if (!arrived_.wait_for(lock, kPatience, [&] { return ended_; })) wire_->cancel();
    }
  }
  wire_->cancel();  // a heartbeat may still wait
  if (reader_.joinable()) reader_.join();
  if (heart_.joinable()) heart_.join();
  if (watcher_.joinable()) watcher_.join();
}

// ---- the threads

void Link::read_all() {
  auto message = std::make_unique<v1::FromServer>();
  while (wire_->read(*message)) {
    std::unique_lock lock(mutex_);
    // A server that sends more than was asked for is not read any further; what was asked for always has room.
    room_.wait(lock, [&] { return stopping_ || queued_bytes_ <= 2 * kWindow; });
    if (stopping_) continue;
    queued_bytes_ += payload_of(*message);
    queue_.push_back(std::move(message));
    arrived_.notify_all();
    if (spare_.empty()) {
      message = std::make_unique<v1::FromServer>();
    } else {
      message = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  const std::string reason = wire_->reason();
  const std::scoped_lock lock(mutex_);
  ended_ = true;
  if (reason_.empty()) reason_ = reason;
  arrived_.notify_all();
  stirred_.notify_all();
}

void Link::beat_on() {
  const auto interval = std::chrono::duration<double>(timeout_s_ / 5);
  std::unique_lock lock(mutex_);
  while (!stirred_.wait_for(lock, interval, [&] { return stopping_ || ended_; })) {
    lock.unlock();
    const bool alive = wire_->beat(session_, timeout_s_);
    lock.lock();
    if (alive || stopping_ || ended_) continue;
    reason_ = "heartbeats are not answered";
    lock.unlock();
    wire_->cancel();
    lock.lock();
  }
}

void Link::watch() {
  std::unique_lock lock(mutex_);
  while (!stopping_ && !ended_) {
    if (!write_until_) {
      stirred_.wait(lock, [&] { return write_until_ || stopping_ || ended_; });
    } else if (Clock::now() < *write_until_) {
      stirred_.wait_until(lock, *write_until_);
    } else {
      reason_ = "a request could not be sent before its deadline";
      write_until_.reset();
      lock.unlock();
      wire_->cancel();
      lock.lock();
    }
  }
}

// ---- messages

bool Link::write(const v1::FromClient& message, const Deadline& deadline) {
  if (deadline) {
    const std::scoped_lock lock(mutex_);
    write_until_ = deadline;
    if (!watcher_.joinable()) watcher_ = std::thread([this] { watch(); });
    stirred_.notify_all();
  }
  const bool written = wire_->write(message);
  if (deadline) {
    const std::scoped_lock lock(mutex_);
    write_until_.reset();
  }
  return written;
}

void Link::require_write(const v1::FromClient& message, const Deadline& deadline) {
  if (write(message, deadline)) return;
  // the reason is known to the reader, which sees the end too
  while (next(*message_, Clock::now() + std::chrono::seconds(2))) {
  }
  raise_lost();
}

bool Link::next(v1::FromServer& to, const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  const auto ready = [&] { return !queue_.empty() || ended_; };
  if (!deadline)
    arrived_.wait(lock, ready);
  else if (!arrived_.wait_until(lock, *deadline, ready))
    return false;
  if (queue_.empty()) {
    lock.unlock();
    raise_lost();
  }
  std::unique_ptr<v1::FromServer> message = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= payload_of(*message);
  room_.notify_all();
  to.Swap(message.get());
  spare_.push_back(std::move(message));
  if (!to.has_refusal()) return true;
  try {
    raise(to.refusal());
  } catch (const std::exception&) {
    refusal_ = std::current_exception();
  }
  lock.unlock();
  wire_->cancel();
  raise_lost();
}

void Link::raise_lost() {
  const std::scoped_lock lock(mutex_);
  if (refusal_) {
    try {
      std::rethrow_exception(refusal_);
    } catch (const LinkError& error) {
      throw LinkError(name_, error.subject() + (error.value().empty() ? "" : " " + error.value()),
                      "last answer: " + last_event_ + ", " + seconds_since(last_time_), error.hint());
    }
  }
  throw LinkError(name_, "the connection was lost: " + (reason_.empty() ? std::string("it was closed") : reason_),
                  "last answer: " + last_event_ + ", " + seconds_since(last_time_),
                  "Does the server still run? Open the device again; a Session that opened it does so by itself.");
}

void Link::raise_late(const std::string& event) {
  throw Timeout(name_, "no answer to " + event + " before the deadline",
                "last answer: " + last_event_ + ", " + seconds_since(last_time_),
                "Allow more time, or run fewer frames at once.");
}

void Link::violation(const std::string& what) {
  {
    const std::scoped_lock lock(mutex_);
    reason_ = what;
  }
  wire_->cancel();
  throw LinkError(name_, what, "protocol version " + std::to_string(kVersion), "Is it a Lightloop server?");
}

// ---- calls

void Link::take(const std::string& payload, Incoming& to) {
  if (payload.size() > awaited_->left) violation("the server sent more than it announced");
  to.take(payload);
  awaited_->left -= payload.size();
  awaited_->owed += payload.size();
  if (awaited_->owed < kWindow / 4 || awaited_->left == 0) return;
  v1::FromClient credit;
  credit.mutable_credit()->set_id(awaited_->id);
  credit.mutable_credit()->set_bytes(awaited_->owed);
  awaited_->owed = 0;
  require_write(credit, {});
}

bool Link::await(v1::Reply* reply, const Sink* sink, Window* window, const Deadline& deadline, bool until_complete) {
  while (next(*message_, deadline)) {
    if (message_->has_credit()) {
      if (message_->credit().id() != awaited_->id || !window) continue;  // late, for what was sent before
      if (!window->fits(0)) violation("a Credit for nothing");
      window->credit(message_->credit().bytes());
      if (!until_complete) return true;
    } else if (message_->has_reply() && message_->reply().id() == awaited_->id && !awaited_->begun) {
      v1::Reply& head = *message_->mutable_reply();
      awaited_->begun = true;
      awaited_->left = head.payload_bytes();
      std::string payload;
      payload.swap(*head.mutable_payload());
      incoming_ = Incoming::dropping(awaited_->left);
      if (sink && !head.has_error()) incoming_ = (*sink)(head);
      if (incoming_.left() != awaited_->left)
        violation("an answer of " + std::to_string(awaited_->left) + " bytes instead of " +
                  std::to_string(incoming_.left()));
      if (reply) reply->Swap(&head);
      take(payload, incoming_);
      payload.swap(*head.mutable_payload());  // its memory is used again
    } else if (message_->has_chunk() && message_->chunk().id() == awaited_->id && awaited_->begun) {
      take(message_->chunk().payload(), incoming_);
    } else {
      violation("the server answers what was not asked");
    }
    if (awaited_->begun && awaited_->left == 0) {
      awaited_.reset();
      return true;
    }
  }
  return false;
}

void Link::send(const v1::Request& request, Outgoing& payload, v1::Reply& reply, const Sink& sink,
                const Deadline& deadline) {
  Window window(window_);
  v1::FromClient message;
  *message.mutable_request() = request;
  message.mutable_request()->set_payload_bytes(payload.left());
  window.send(payload.next(chunk_, *message.mutable_request()->mutable_payload()));
  require_write(message, deadline);
  while (payload.left() > 0 && awaited_ && !awaited_->begun) {
    if (!window.fits(std::min<std::uint64_t>(chunk_, payload.left()))) {
      // the server takes in what it is sent before it does anything else, so this wait is one for the network
      if (!await(&reply, &sink, &window, deadline, false)) {
        wire_->cancel();
        raise_late("what was sent so far");
      }
      continue;
    }
    v1::Chunk& chunk = *message.mutable_chunk();
    chunk.set_id(request.id());
    window.send(payload.next(chunk_, *chunk.mutable_payload()));
    require_write(message, deadline);
  }
}

void Link::call(v1::Request& request, const std::string& event, Outgoing payload, const Sink& sink, v1::Reply& reply,
                const Deadline& deadline) {
  const std::scoped_lock one_at_a_time(call_mutex_);
  if (awaited_ && !await(nullptr, nullptr, nullptr, deadline, true))
    throw Timeout(name_, "still busy with an earlier request, whose deadline passed too", "",
                  "Allow more time, or run fewer frames at once.");
  request.set_id(++id_);
  if (deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(*deadline - Clock::now()).count();
    request.set_remaining_ns(static_cast<std::uint64_t>(std::max<std::int64_t>(0, left)));
  }
  awaited_ = Awaited{id_};
  try {
    send(request, payload, reply, sink, deadline);
    if (awaited_ && !await(&reply, &sink, nullptr, deadline, true)) raise_late(event);
  } catch (const Timeout&) {
    // the answer is still awaited, but the memory for it may be gone by then
    if (awaited_) incoming_ = Incoming::dropping(awaited_->left);
    throw;
  } catch (...) {
    awaited_.reset();
    throw;
  }
  {
    const std::scoped_lock lock(mutex_);
    last_event_ = event;
    last_time_ = Clock::now();
  }
  if (reply.has_error()) raise(reply.error());
}

}  // namespace lightloop::remote
