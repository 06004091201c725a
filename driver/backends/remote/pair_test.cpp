#include "driver/backends/remote/pair_for_tests.hpp"
#include "driver/backends/remote/remote.pb.h"

namespace lightloop::test {
namespace {

using remote::Received;

constexpr std::size_t kRoom = 4;  // messages under way in one direction

class PipeServerWire : public remote::ServerWire {
 public:
  explicit PipeServerWire(std::shared_ptr<Pipes> pipes) : pipes_(std::move(pipes)) {}
  ~PipeServerWire() override { pipes_->to_client.close(); }
  Received read(v1::FromClient& to) override {
    std::string bytes;
    if (!pipes_->to_server.pop(bytes)) return Received::end;
    return to.ParseFromString(bytes) ? Received::message : Received::malformed;
  }
  bool write(const v1::FromServer& message) override { return pipes_->to_client.push(message.SerializeAsString()); }
  void cancel() override {
    pipes_->to_server.break_off();
    pipes_->to_client.break_off();
  }

 private:
  std::shared_ptr<Pipes> pipes_;
};

class PipeClientWire : public remote::ClientWire {
 public:
  PipeClientWire(std::shared_ptr<Pipes> pipes, remote::Host& host) : pipes_(std::move(pipes)), host_(host) {}
  ~PipeClientWire() override { PipeClientWire::cancel(); }
  bool read(v1::FromServer& to) override {
    std::string bytes;
    return pipes_->to_client.pop(bytes) && to.ParseFromString(bytes);
  }
  bool write(const v1::FromClient& message) override { return pipes_->to_server.push(message.SerializeAsString()); }
  void done() override { pipes_->to_server.close(); }
  void cancel() override {
    pipes_->to_server.break_off();
    pipes_->to_client.break_off();
  }
  std::string reason() override { return "the pipe broke"; }
  bool beat(const std::string& session, double) override {
    const bool heard = host_.beat(session);
    ++pipes_->beats;
    return heard;
  }

 private:
  std::shared_ptr<Pipes> pipes_;
  remote::Host& host_;
};

}  // namespace

bool Pipe::push(std::string bytes) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return broken_ || messages_.size() < kRoom; });
  if (broken_ || closed_) return false;
  messages_.push_back(std::move(bytes));
  changed_.notify_all();
  return true;
}

bool Pipe::pop(std::string& bytes) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return broken_ || (!stalled_ && (closed_ || !messages_.empty())); });
  if (broken_ || messages_.empty()) return false;
  bytes = std::move(messages_.front());
  messages_.pop_front();
  changed_.notify_all();
  return true;
}

void Pipe::close() {
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

void Pipe::break_off() {
  const std::scoped_lock lock(mutex_);
  broken_ = true;
  changed_.notify_all();
}

void Pipe::stall(bool on) {
  const std::scoped_lock lock(mutex_);
  stalled_ = on;
  changed_.notify_all();
}

LocalServer::~LocalServer() {
  host_.cancel_all();
  for (std::thread& thread : threads_) thread.join();
}

std::unique_ptr<remote::ClientWire> LocalServer::connect(std::shared_ptr<Pipes> pipes) {
  threads_.emplace_back([this, pipes] {
    PipeServerWire wire(pipes);
    host_.converse(wire);
  });
  return std::make_unique<PipeClientWire>(std::move(pipes), host_);
}

std::vector<std::string> LocalServer::converse(const std::vector<std::string>& messages) {
  const auto pipes = std::make_shared<Pipes>();
  std::thread feeder([&] {
    for (const std::string& message : messages) pipes->to_server.push(message);
    pipes->to_server.close();
  });
  std::thread server([&] {
    PipeServerWire wire(pipes);
    host_.converse(wire);
    pipes->to_server.break_off();
  });
  std::vector<std::string> answers;
  for (std::string bytes; pipes->to_client.pop(bytes);) answers.push_back(bytes);
  server.join();
  feeder.join();
  return answers;
}

std::string hello(std::uint32_t version) {
  v1::FromClient message;
  message.mutable_hello()->set_version(version);
  message.mutable_hello()->set_window(remote::kWindow);
  message.mutable_hello()->set_client("somebody@else pid 7");
  return message.SerializeAsString();
}

}  // namespace lightloop::test
