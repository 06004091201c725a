// Writes conversations that keep the protocol, from which the fuzzer starts.
#include <filesystem>
#include <functional>

#include "core/file.hpp"
#include "driver/backends/remote/payload.hpp"
#include "driver/backends/remote/remote.pb.h"
#include "tests/fuzz/conversation.hpp"

using namespace lightloop;

namespace {
std::string talk(const std::string& device, v1::Open::Use use,
                 const std::vector<std::function<void(v1::FromClient&)>>& requests) {
  std::string file;
  v1::FromClient message;
  message.mutable_hello()->set_client("somebody@somewhere pid 1");
  message.mutable_hello()->set_window(remote::kWindow);
  fuzz::append(file, message.SerializeAsString());
  std::uint64_t id = 1;
  message.mutable_request()->set_id(id);
  message.mutable_request()->mutable_open()->set_device(device);
  message.mutable_request()->mutable_open()->set_use(use);
  fuzz::append(file, message.SerializeAsString());
  for (const auto& fill : requests) {
    message.Clear();
    message.mutable_request()->set_id(++id);
    fill(message);
    auto& request = *message.mutable_request();
    if (request.payload_bytes() == 0) request.set_payload_bytes(request.payload().size());
    fuzz::append(file, message.SerializeAsString());
  }
  return file;
}

auto work(void (*fill)(v1::Request&), std::size_t payload = 0) {
  return [=](v1::FromClient& message) {
    fill(*message.mutable_request());
    *message.mutable_request()->mutable_payload() = std::string(payload, '\1');
  };
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  using R = v1::Request;
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  const auto run = [](R& r) { r.mutable_run()->set_frames(3); };
  const auto aux = [](R& r) {
    r.mutable_run()->set_frames(2);
    r.mutable_run()->set_aux(1);
    r.mutable_run()->set_transposed(false);
    r.set_remaining_ns(1'000'000'000);
  };
  const auto back = [](R& r) {
    r.mutable_run()->set_frames(3);
    r.mutable_run()->set_transposed(true);
  };
  const auto configure = [](R& r) {
    auto& setting = *r.mutable_configure()->add_settings();
    setting.set_name("gain");
    setting.mutable_value()->set_real(2);
  };
  const auto member = [](R& r) { r.mutable_members()->add_members(); };
  const auto forward = [](R& r) { r.mutable_twin()->set_rows(3); };
  const auto vjp = [](R& r) {
    r.mutable_twin()->set_kind(v1::TwinCall::VJP);
    r.mutable_twin()->set_rows(2);
    r.mutable_twin()->set_theta(true);
  };
  const auto theta = [](R& r) { r.mutable_twin()->set_kind(v1::TwinCall::PROGRAM); };
  write_file(folder / "run", talk("echo", v1::Open::DEVICE, {work(run, 24), work([](R& r) { r.mutable_close(); })}));
  write_file(folder / "all",
             talk("fake", v1::Open::DEVICE,
                  {work([](R& r) { r.mutable_program(); }, 24), work(run, 18), work(aux, 12 + 4), work(back, 24),
                   work(configure), work([](R& r) { r.mutable_reset(); }), work([](R& r) { r.mutable_snapshot(); }),
                   work([](R& r) { r.mutable_restore(); }, 16), work([](R& r) { r.mutable_self_test(); }),
                   work([](R& r) { r.mutable_monitors(); }), work(member), work([](R& r) { r.mutable_close(); })}));
  write_file(folder / "twin", talk("echo", v1::Open::TWIN, {work(theta, 4), work(forward, 12), work(vjp, 16)}));
  write_file(folder / "parameters", talk("fake", v1::Open::PARAMETERS, {}));
  std::string chunks = talk("echo", v1::Open::DEVICE, {[](v1::FromClient& message) {
                              message.mutable_request()->mutable_run()->set_frames(4);
                              message.mutable_request()->set_payload_bytes(32);
                              *message.mutable_request()->mutable_payload() = std::string(16, 'x');
                            }});
  v1::FromClient rest;
  rest.mutable_chunk()->set_id(2);
  *rest.mutable_chunk()->mutable_payload() = std::string(16, 'y');
  fuzz::append(chunks, rest.SerializeAsString());
  rest.mutable_credit()->set_id(2);
  rest.mutable_credit()->set_bytes(16);
  fuzz::append(chunks, rest.SerializeAsString());
  write_file(folder / "chunks", chunks);

  v1::FromServer answer;
  v1::Description& d = *answer.mutable_reply()->mutable_description();
  d.set_kind("layer");
  d.set_model("m");
  d.mutable_input()->add_shape(3);
  d.mutable_input()->set_bits(8);
  *d.mutable_output() = d.input();
  *d.mutable_program() = d.input();
  d.add_aux_inputs()->set_bits(3);
  d.set_max_batch(4);
  v1::Parameter& parameter = *d.add_parameters();
  parameter.set_name("gain");
  parameter.set_unit("1");
  parameter.mutable_default_value()->set_real(1);
  parameter.mutable_value()->set_real(2);
  parameter.set_max(4);
  std::string server;
  fuzz::append(server, answer.SerializeAsString());
  answer.mutable_refusal()->set_kind(v1::Error::BUSY);
  answer.mutable_refusal()->set_what("device");
  fuzz::append(server, answer.SerializeAsString());
  write_file(folder / "server", server);
}
