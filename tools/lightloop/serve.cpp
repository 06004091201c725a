// `lightloop serve`: devices of this computer for programs elsewhere, until Ctrl-C.
#include <chrono>
#include <cstdio>
#include <mutex>
#include <thread>

#include "driver/backends/remote/server.hpp"
#include "tools/lightloop/command.hpp"
#include "tools/lightloop/interrupt.hpp"
#include "tools/lightloop/json.hpp"
#include "tools/lightloop/text.hpp"

namespace lightloop::command {
namespace {

/// One line per event; whoever reads a pipe sees it at once.
class Lines {
 public:
  explicit Lines(bool json) : json_(json) {}
  void ready(const remote::Server& server) {
    std::vector<std::string> names, devices;
    for (const auto& [name, address] : server.devices()) {
      names.push_back(name);
      devices.push_back(name + " (" + address + ")");
    }
    print("serving " + join(devices, ", ") + " on " + server.address(),
          {{"event", "ready"}, {"address", server.address()}, {"devices", join(names, ",")}});
  }
  void visit(const std::string& what, const std::string& client, const std::string& device, std::int64_t frames) {
    const std::string after = " after " + grouped(frames) + " frames";
    const std::string verb = what == "came"   ? " uses " + device
                             : what == "left" ? " left " + device + after
                                              : " was lost; it had " + device + after;
    print(client + verb, {{"event", what}, {"client", client}, {"device", device}, {"frames", frames}});
  }
  void stopped() { print("stopped", {{"event", "stopped"}}); }

 private:
  void print(const std::string& text, const Settings& fields) {
    const std::scoped_lock lock(mutex_);
    std::printf("%s\n", (json_ ? one_line_json(fields) : text).c_str());
    std::fflush(stdout);
  }
  bool json_;
  std::mutex mutex_;
};

}  // namespace

int serve(const ServeRequest& request, const Registry& registry) {
  const Interrupt interrupt;
  Lines lines(request.json);
  remote::ServerOptions options;
  options.devices = request.devices;
  options.listen = request.listen;
  options.tls_cert = request.tls_cert;
  options.tls_key = request.tls_key;
  options.tls_ca = request.tls_ca;
  options.token_file = request.token_file;
  options.timeout_s = request.timeout_s;
  options.max_sessions = static_cast<std::size_t>(request.max_sessions < 0 ? 0 : request.max_sessions);
  options.observer = [&](const std::string& what, const std::string& client, const std::string& device,
                         std::int64_t frames) { lines.visit(what, client, device, frames); };
  {
    const remote::Server server(std::move(options), registry);
    lines.ready(server);
    while (!interrupt.requested()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  lines.stopped();
  return kDone;
}

}  // namespace lightloop::command
