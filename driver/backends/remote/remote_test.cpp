#include "driver/backends/remote/remote.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>

#include "core/error.hpp"
#include "driver/api/conformance.hpp"
#include "driver/backends/remote/echo_for_tests.hpp"
#include "driver/backends/remote/server.hpp"

namespace lightloop {
namespace {
using Catch::Matchers::Contains;

Registry with_remote() {
  Registry registry = test::test_registry();
  registry.add_backend("remote", remote::backend());
  return registry;
}
}  // namespace

#if __has_include("driver/backends/remote/remote.pb.h")

TEST_CASE("a device keeps the contract over TCP and over a UNIX socket", "[grpc]") {
  const Registry registry = with_remote();
  const std::string folder = std::filesystem::temp_directory_path() / ("lightloop-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  for (const std::string& listen : {std::string("127.0.0.1:0"), "unix:" + folder + "/s"}) {
    remote::ServerOptions options;
    options.listen = listen;
    options.devices = {"sim:fake", "sim:echo,size=100000"};
    const remote::Server server(options, registry);
    INFO(server.address());
    for (const CheckResult& result :
         check_device([&] { return registry.open("remote:" + server.address() + "/fake0"); })) {
      INFO(result.name << ": " << result.detail);
      CHECK(result.outcome != CheckResult::Outcome::failed);
    }
    const auto device = registry.open("remote:" + server.address() + "/echo0,delay=0.001");
    FrameBuffer in(device->describe().input, 100), out(device->describe().output, 100);
    for (Index i = 0; i < 100 * 100000; ++i) in.frames().set(0, i, static_cast<std::uint8_t>(i % 253));
    device->run(in.frames(), out.frames());
    CHECK(std::memcmp(in.frames().data, out.frames().data, 100 * 100000) == 0);
    CHECK_THROWS_AS(registry.open("remote:" + server.address() + "/echo0"), Busy);
    CHECK_THROWS_WITH(registry.open("remote:" + server.address()), Contains("fake0, echo0"));
    CHECK(registry.open_params("remote:" + server.address() + "/echo0").size() == 1);
    CHECK(registry.twin("remote:" + server.address() + "/echo0")->inputs() == 1);
    CHECK_THROWS_AS(registry.twin("remote:" + server.address() + "/fake0"), Unsupported);
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE("nobody at the other end is said in one line, soon", "[grpc]") {
  const Registry registry = with_remote();
  const auto begin = std::chrono::steady_clock::now();
  CHECK_THROWS_AS(registry.open("remote:127.0.0.1:1/opu0,connect_timeout=600"), LinkError);
  CHECK_THROWS_WITH(registry.open("remote:127.0.0.1:1/opu0,connect_timeout=600"),
                    Contains("127.0.0.1:1") && Contains("refused"));
  CHECK_THROWS_WITH(registry.open("remote:unix:/nowhere/at/all/opu0,connect_timeout=600"), Contains("No such file"));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::minutes(1));  // not for the sake of the timeout
}

TEST_CASE("addresses that others reach need TLS and a token, nobody listens twice", "[grpc]") {
  const Registry registry = with_remote();
  remote::ServerOptions options;
  options.devices = {"sim:echo"};
  const auto listen = [&](const std::string& address) {
    options.listen = address;
    return std::make_unique<remote::Server>(options, registry);
  };
  CHECK_THROWS_AS(listen("0.0.0.0:0"), Refused);
  CHECK_THROWS_WITH(listen("[::]:0"), Contains("--tls-cert"));
  CHECK_THROWS_AS(listen("50051"), InvalidParameter);
  const auto first = listen("127.0.0.1:0");
  CHECK_THROWS_WITH(listen(first->address()), Contains("in use"));
  options.devices = {"sim:ecko"};
  CHECK_THROWS_AS(listen("127.0.0.1:0"), UnknownName);
}

#else

TEST_CASE("a build without gRPC says what to install") {
  CHECK_THROWS_AS(with_remote().open("remote:127.0.0.1:1/opu0"), Unsupported);
  CHECK_THROWS_WITH(with_remote().open("remote:127.0.0.1:1/opu0"), Contains("libgrpc++-dev"));
  CHECK_THROWS_AS(remote::Server({}, with_remote()), Unsupported);
}

#endif

}  // namespace lightloop
