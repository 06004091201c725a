// The backend without an interpreter; with one it is tested through the command and the package (tests/e2e,
// tests/python).
#include "driver/backends/python/python.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "core/error.hpp"
#include "driver/api/fake_device_test.hpp"

namespace lightloop {
namespace {
using Catch::Matchers::Contains;
}

TEST_CASE("python: without an interpreter one line says what is missing, with a hook the hook opens") {
  Registry registry;
  registry.add_backend("python", python::backend());
  ::setenv("LIGHTLOOP_LIBPYTHON", "/no/such/libpython.so", 1);
  CHECK_THROWS_AS(registry.open("python:bench.py:Bench"), Unsupported);
  CHECK_THROWS_WITH(registry.open("python:bench.py:Bench"),
                    Contains("/no/such/libpython.so") && Contains("LIGHTLOOP_LIBPYTHON"));
  ::setenv("LIGHTLOOP_LIBPYTHON", "libz.so.1", 1);
  CHECK_THROWS_WITH(registry.open_params("python:bench.py:Bench"), Contains("libz.so.1 (it is no libpython"));
  ::unsetenv("LIGHTLOOP_LIBPYTHON");

  python::set_hook({[](const DeviceAddress& address) -> std::unique_ptr<Device> {
                      CHECK(address.target == "bench.py:Bench");
                      return std::make_unique<test::FakeDevice>(test::FakeOptions{}, address.settings);
                    },
                    [](const DeviceAddress&) { return test::FakeDevice({}).settings().infos(); },
                    [](const DeviceAddress& address) -> std::unique_ptr<Twin> {
                      throw Unsupported("twin", address.target, "the hook was asked");
                    }});
  CHECK(registry.open("python:bench.py:Bench,gain=2")->settings().real("gain") == 2);
  CHECK(registry.open_params("python:bench.py:Bench,gain=2").size() == 4);
  CHECK_THROWS_WITH(registry.twin("python:bench.py:Bench"), Contains("the hook was asked"));
  python::set_hook({});
}

}  // namespace lightloop
