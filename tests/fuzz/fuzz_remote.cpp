// What a server does with the messages of a client, and a client with the description and errors of a server.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>

#include "core/error.hpp"
#include "driver/backends/remote/echo_for_tests.hpp"
#include "driver/backends/remote/host.hpp"
#include "driver/backends/remote/messages.hpp"
#include "driver/backends/remote/remote.pb.h"
#include "tests/fuzz/conversation.hpp"

namespace {
using namespace lightloop;

class FileWire : public remote::ServerWire {
 public:
  explicit FileWire(std::string_view file) : file_(file) {}
  remote::Received read(v1::FromClient& to) override {
    std::string_view message;
    if (!fuzz::next(file_, message)) return remote::Received::end;
    return to.ParseFromArray(message.data(), static_cast<int>(message.size())) ? remote::Received::message
                                                                               : remote::Received::malformed;
  }
  bool write(const v1::FromServer& message) override {
    // a client that takes what it gets
    v1::FromServer copy;
    if (!copy.ParseFromString(message.SerializeAsString())) __builtin_trap();
    try {
      if (copy.reply().has_error()) remote::raise(copy.reply().error());
      if (copy.reply().description().has_input()) remote::take(copy.reply().description());
    } catch (const Error&) {
    }
    return true;
  }
  void cancel() override {}

 private:
  std::string_view file_;
};

const Registry& registry() {
  static const Registry all = [] {
    Registry made;
    DeviceModel echo = test::echo_model();
    echo.open = [](const ParamSet& params) {
      ParamSet quick = params;
      quick.set({{"delay", 0.0}});
      return std::make_unique<test::EchoDevice>(quick);
    };
    made.add(std::move(echo));
    DeviceModel fake;
    fake.name = "fake";
    fake.kind = "layer";
    fake.params = test::FakeDevice({}).settings().infos();
    fake.open = [](const ParamSet& params) {
      return std::make_unique<test::FakeDevice>(test::FakeOptions{}, params.all());
    };
    made.add(std::move(fake));
    return made;
  }();
  return all;
}

/// The same bytes as messages of a server.
void take_as_client(std::string_view file) {
  v1::FromServer message;
  for (std::string_view bytes; fuzz::next(file, bytes);) {
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) continue;
    try {
      if (message.has_refusal()) remote::raise(message.refusal());
      if (message.reply().has_error()) remote::raise(message.reply().error());
      remote::take(message.reply().description());
    } catch (const Error&) {
    }
  }
}
}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  remote::HostOptions options;
  options.max_bytes = 1 << 16;  // small, so that its edge is met
  remote::Host host({{"echo", "sim:echo"}, {"fake", "sim:fake"}}, registry(), options);
  FileWire wire(file);
  host.converse(wire);
  if (host.sessions() != 0) __builtin_trap();  // whatever came, the device is free again
  take_as_client(file);
  return 0;
}
