#include "driver/backends/remote/remote.hpp"

#include <algorithm>
#include <cstdlib>

#include "core/error.hpp"
#include "driver/backends/remote/server.hpp"

#if __has_include("driver/backends/remote/remote.pb.h")
#include "driver/backends/remote/client.hpp"
#include "driver/backends/remote/connect.hpp"
#include "driver/backends/remote/messages.hpp"
#include "driver/backends/remote/remote.pb.h"

namespace lightloop::remote {
namespace {

/// "remote:..." taken apart and connected.
struct Way {
  Target target;
  std::unique_ptr<Link> link;
  Settings device;
};

std::string listed(const v1::ListReply& list) {
  std::string names;
  for (const auto& device : list.devices()) names += (names.empty() ? "" : ", ") + device.name();
  return names.empty() ? "none" : names;
}

Way connect_to(const DeviceAddress& address) {
  Way way{parse_target(address.target), nullptr, {}};
  ParamSet link("remote:" + address.target, link_params());
  for (const auto& [key, value] : address.settings) {
    if (link.has(key))
      link.set({{key, value}});
    else
      way.device[key] = value;
  }
  const auto deadline = Link::Clock::now() + std::chrono::duration_cast<Link::Clock::duration>(
                                                 std::chrono::duration<double>(link.real("connect_timeout")));
  const auto connection = connect(way.target, rights(link, way.target), deadline);
  if (way.target.device.empty()) {
    v1::ListReply list;
    connection->list(list, link.real("connect_timeout"));
    throw InvalidParameter("device string remote:" + address.target, "names no device",
                           "the server has " + listed(list), "Write remote:" + way.target.server + "/NAME.");
  }
  way.link = std::make_unique<Link>(connection->session(), "remote:" + address.target, self(), deadline);
  return way;
}

/// The devices of the server at the usual place and of those that LIGHTLOOP_SERVERS lists, separated by commas.
std::vector<Found> look_around(std::chrono::steady_clock::time_point deadline) {
  constexpr const char* kUsual = "127.0.0.1:50051";
  const char* listed = std::getenv("LIGHTLOOP_SERVERS");
  std::vector<std::string> servers;
  for (std::string rest = listed ? listed : ""; !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    servers.push_back(rest.substr(0, comma));
    rest.erase(0, comma + 1);
  }
  const bool expected = std::ranges::find(servers, kUsual) != servers.end();
  if (!expected) servers.push_back(kUsual);
  std::vector<Found> found;
  for (const std::string& server : servers) {
    try {
      check_server(server, "LIGHTLOOP_SERVERS");
      v1::ListReply list;
      const double left = std::chrono::duration<double>(deadline - std::chrono::steady_clock::now()).count();
      connect({server, ""}, {}, deadline)->list(list, std::max(left, 0.1));
      for (const auto& device : list.devices())
        found.push_back({"remote:" + server + "/" + clean(device.name(), 100), clean(device.address(), 200),
                         device.holder().empty() ? "" : "in use by " + clean(device.holder(), 100)});
    } catch (const Error& error) {
      // nobody at the usual place is no failure, unless somebody was expected there
      if (expected || server != kUsual) found.push_back({"remote:" + server, "", error.what()});
    }
  }
  return found;
}

}  // namespace

Backend backend() {
  Backend remote = [](const DeviceAddress& address, const Registry&) {
    Way way = connect_to(address);
    return open_device(std::move(way.link), way.target.device, way.device);
  };
  remote.params = [](const DeviceAddress& address, const Registry&) {
    const Way way = connect_to(address);
    return open_params(*way.link, way.target.device);
  };
  remote.twin = [](const DeviceAddress& address, const Registry&) {
    Way way = connect_to(address);
    return open_twin(std::move(way.link), way.target.device, way.device);
  };
  remote.discover = look_around;
  return remote;
}

}  // namespace lightloop::remote

#else

namespace lightloop::remote {
namespace {

[[noreturn]] void absent() {
  throw Unsupported("remote:", "this build has no gRPC", "",
                    "Install libgrpc++-dev, libprotobuf-dev and protobuf-compiler, then configure and build again.");
}

}  // namespace

Backend backend() {
  Backend remote = [](const DeviceAddress&, const Registry&) -> std::unique_ptr<Device> { absent(); };
  remote.params = [](const DeviceAddress&, const Registry&) -> std::vector<ParamInfo> { absent(); };
  remote.twin = [](const DeviceAddress&, const Registry&) -> std::unique_ptr<Twin> { absent(); };
  return remote;
}

struct Server::Impl {
  std::string address;
};
Server::Server(ServerOptions, const Registry&) { absent(); }
Server::~Server() = default;
const std::string& Server::address() const { return impl_->address; }
std::vector<std::pair<std::string, std::string> > Server::devices() const { return {}; }

}  // namespace lightloop::remote
#endif
