#include "driver/backends/remote/conversation.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "driver/backends/remote/messages.hpp"
#include "driver/backends/remote/remote.pb.h"

namespace lightloop::remote {
namespace {

[[noreturn]] void violation(const std::string& what) {
  throw LinkError("protocol", what, "version " + std::to_string(kVersion), "See driver/backends/remote/remote.proto.");
}

std::string version_of_both(std::uint32_t theirs) {
  return "the client speaks version " + std::to_string(theirs) + ", this server version " + std::to_string(kVersion);
}

}  // namespace

Conversation::Conversation(Host& host, ServerWire& wire)
    : host_(host), wire_(wire), session_(host.guests_.enter(wire, host.options_.max_sessions)) {}

Conversation::~Conversation() {
  close_device();
  host_.guests_.leave(session_);
}

void Conversation::read(v1::FromClient& to) {
  switch (wire_.read(to)) {
    case Received::message:
      host_.guests_.heard(session_);
      return;
    case Received::end:
      throw Gone{};
    case Received::malformed:
      violation("a message that cannot be read");
  }
}

void Conversation::run() {
  try {
    greet();
    v1::FromClient message;
    while (true) {
      read(message);
      if (message.has_request()) {
        answer(message.request());
      } else if (message.has_chunk()) {
        if (message.chunk().id() != present_)
          violation("a chunk that belongs to no request");  // else: of a refused one
      } else if (!message.has_credit()) {
        violation(message.has_hello() ? "a second Hello" : "an empty message");
      }
    }
  } catch (const Gone&) {
  }
}

void Conversation::greet() {
  v1::FromClient message;
  read(message);
  if (!message.has_hello()) violation("the first message is no Hello");
  const v1::Hello& hello = message.hello();
  if (hello.version() != kVersion)
    throw LinkError("version of the protocol", version_of_both(hello.version()), "",
                    "Use the same release of Lightloop on both sides.");
  if (hello.window() < kChunk) violation("a window of " + std::to_string(hello.window()) + " bytes");
  window_ = hello.window();
  if (!hello.client().empty()) client_ = clean(hello.client(), 100);
  host_.guests_.name(session_, client_);
  v1::FromServer answer;
  v1::Welcome& welcome = *answer.mutable_welcome();
  welcome.set_version(kVersion);
  welcome.add_capabilities("ensemble");
  welcome.add_capabilities("twin");
  welcome.set_server("lightloop");
  welcome.set_window(kWindow);
  welcome.set_chunk(static_cast<std::uint32_t>(kChunk));
  welcome.set_session(session_);
  welcome.set_timeout_s(host_.options_.timeout_s);
  if (!wire_.write(answer)) throw Gone{};
}

void Conversation::answer(const v1::Request& request) {
  if (request.id() <= present_) violation("a request whose id is not larger than all before");
  if (request.payload().size() > kChunk) violation("a payload longer than " + std::to_string(kChunk) + " bytes");
  present_ = request.id();
  v1::FromServer message;
  v1::Reply& reply = *message.mutable_reply();
  reply.set_id(present_);
  Outgoing out;
  try {
    work(request, reply, out);
  } catch (const std::exception& error) {
    out = {};
    put(error, *reply.mutable_error());
  }
  send(message, out);
}

void Conversation::send(v1::FromServer& message, Outgoing& out) {
  Window window(window_);
  v1::Reply& reply = *message.mutable_reply();
  reply.set_payload_bytes(out.left());
  window.send(out.next(kChunk, *reply.mutable_payload()));
  if (!wire_.write(message)) throw Gone{};
  v1::FromClient credit;
  while (out.left() > 0) {
    while (!window.fits(std::min<std::uint64_t>(kChunk, out.left()))) {
      read(credit);
      if (!credit.has_credit()) violation("something else than a Credit while a reply is under way");
      if (credit.credit().id() == present_) window.credit(credit.credit().bytes());
    }
    v1::Chunk& chunk = *message.mutable_chunk();
    chunk.set_id(present_);
    window.send(out.next(kChunk, *chunk.mutable_payload()));
    if (!wire_.write(message)) throw Gone{};
  }
}

void Conversation::receive(const v1::Request& request, Incoming to) {
  if (request.payload_bytes() != to.left())
    throw ShapeMismatch("payload", std::to_string(request.payload_bytes()) + " bytes",
                        std::to_string(to.left()) + " expected");
  if (request.payload().size() > to.left()) violation("a payload longer than announced");
  to.take(request.payload());
  std::uint64_t owed = request.payload().size();
  v1::FromClient message;
  v1::FromServer credit;
  while (to.left() > 0) {
    read(message);
    if (!message.has_chunk() || message.chunk().id() != present_)
      violation("something else than the rest of a payload");
    const std::string& payload = message.chunk().payload();
    if (payload.empty() || payload.size() > std::min<std::uint64_t>(kChunk, to.left()))
      violation("a chunk of " + std::to_string(payload.size()) + " bytes");
    to.take(payload);
    owed += payload.size();
    if (owed < kWindow / 4 || to.left() == 0) continue;
    credit.mutable_credit()->set_id(present_);
    credit.mutable_credit()->set_bytes(owed);
    owed = 0;
    if (!wire_.write(credit)) throw Gone{};
  }
}

void Conversation::work(const v1::Request& request, v1::Reply& reply, Outgoing& out) {
  switch (request.work_case()) {
    case v1::Request::kOpen:
      no_payload(request);
      return open(request.open(), reply);
    case v1::Request::kRun:
      return run_frames(request, reply, out);
    case v1::Request::kProgram:
      program(request);
      return describe(reply);
    case v1::Request::kConfigure:
      no_payload(request);
      device().configure(take(request.configure()));
      return describe(reply);
    case v1::Request::kReset:
      no_payload(request);
      device().reset();
      return describe(reply);
    case v1::Request::kSnapshot:
      no_payload(request);
      state_ = device().snapshot();
      out = Outgoing({state_});
      break;
    case v1::Request::kRestore:
      restore(request);
      return describe(reply);
    case v1::Request::kSelfTest: {
      no_payload(request);
      const SelfTest result = device().self_test();
      reply.mutable_self_test()->set_passed(result.passed);
      reply.mutable_self_test()->set_detail(clean(result.detail));
      return;
    }
    case v1::Request::kMonitors: {
      no_payload(request);
      reply.mutable_monitors();
      for (const Monitor& monitor : device().monitors()) {
        v1::Monitor& one = *reply.mutable_monitors()->add_monitors();
        one.set_name(clean(monitor.name));
        one.set_unit(clean(monitor.unit));
        one.set_value(monitor.value);
      }
      return;
    }
    case v1::Request::kMembers: {
      no_payload(request);
      Ensemble* ensemble = device().ensemble();
      if (!ensemble) throw Unsupported(device().describe().model, "has no ensemble");
      std::vector<lightloop::Settings> members;
      for (const v1::Settings& one : request.members().members()) members.push_back(take(one));
      ensemble->configure_members(members);
      break;
    }
    case v1::Request::kTwin:
      return twin_call(request, reply, out);
    case v1::Request::kClose:
      no_payload(request);
      lost_ = false;
      close_device();
      break;
    case v1::Request::WORK_NOT_SET:
      throw Unsupported("server", "does not know this request", "version " + std::to_string(kVersion));
  }
  reply.mutable_done();
}

void Conversation::open(const v1::Open& what, v1::Reply& reply) {
  if (device_ || twin_) throw InvalidParameter("open", "this session has opened " + name_ + " already");
  const Served& served = host_.find(what.device());
  const lightloop::Settings settings = take(what.settings());
  switch (what.use()) {
    case v1::Open::PARAMETERS:
      put(host_.registry_.open_params(served.address), *reply.mutable_description());
      return;
    case v1::Open::TWIN: {
      twin_ = host_.registry_.twin(served.address, settings);
      v1::TwinInfo& info = *reply.mutable_twin();
      info.set_inputs(static_cast<std::uint64_t>(twin_->inputs()));
      info.set_outputs(static_cast<std::uint64_t>(twin_->outputs()));
      info.set_parameters(static_cast<std::uint64_t>(twin_->parameters()));
      const GradientCost cost = twin_->gradient_cost();
      info.set_exposures(static_cast<std::uint64_t>(cost.exposures));
      info.set_readings(cost.readings);
      info.set_reading_j(cost.reading_j);
      for (const FitParameter& parameter : twin_->fit_parameters()) {
        v1::FitParameter& one = *info.add_fit();
        one.set_name(clean(parameter.name));
        one.set_unit(clean(parameter.unit));
        one.set_value(parameter.value);
        one.set_sigma(parameter.sigma);
      }
      return;
    }
    case v1::Open::DEVICE: {
      host_.guests_.lease(session_, served.name);
      try {
        device_ = host_.registry_.open(served.address, settings);
        describe(reply);
      } catch (...) {
        device_.reset();
        host_.guests_.release(session_);
        throw;
      }
      name_ = served.name;
      frames_ = 0;
      if (host_.options_.observer) host_.options_.observer({Visit::What::came, client_, name_, 0});
      return;
    }
    default:
      throw Unsupported("open", "use " + std::to_string(what.use()), "version " + std::to_string(kVersion));
  }
}

Device& Conversation::device() {
  if (!device_) throw LinkError("session", "no device is open");
  return *device_;
}

void Conversation::describe(v1::Reply& reply) { put(device(), host_.options_.max_bytes, *reply.mutable_description()); }

void Conversation::close_device() {
  if (!device_) return;
  try {
    device_->close();
  } catch (const std::exception&) {
    // it is let go all the same
  }
  device_.reset();
  host_.guests_.release(session_);
  if (host_.options_.observer)
    host_.options_.observer({lost_ ? Visit::What::lost : Visit::What::left, client_, name_, frames_});
}

}  // namespace lightloop::remote
