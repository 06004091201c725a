#include "driver/backends/remote/target.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "driver/backends/remote/payload.hpp"

namespace lightloop::remote {
using Catch::Matchers::Contains;

TEST_CASE("a target is a server and a device of it") {
  const auto parts = [](const std::string& text) {
    const Target target = parse_target(text);
    return target.server + "|" + target.device;
  };
  CHECK(parts("127.0.0.1:50051/opu0") == "127.0.0.1:50051|opu0");
  CHECK(parts("lab.example.org:1/a-b.c") == "lab.example.org:1|a-b.c");
  CHECK(parts("[::1]:50051/opu0") == "[::1]:50051|opu0");
  CHECK(parts("127.0.0.1:50051") == "127.0.0.1:50051|");
  CHECK(parts("unix:/tmp/x.sock/opu0") == "unix:/tmp/x.sock|opu0");
  CHECK(parts("unix:/sock") == "unix:/sock|");
  for (const char* wrong : {"", "/opu0", "host/opu0", "host:/opu0", ":50051/opu0", "host:99999/opu0", "::1:50051/opu0",
                            "host:50051x/opu0", "a b:1/opu0", "unix:", "unix:/", "h@st:1/opu0"}) {
    INFO(wrong);
    CHECK_THROWS_AS(parse_target(wrong), InvalidParameter);
  }
  CHECK_THROWS_WITH(parse_target("unix:/" + std::string(200, 'x') + "/opu0"), Contains("107"));
}

TEST_CASE("only this computer's own addresses count as such") {
  for (const char* ours : {"127.0.0.1:1", "127.1.2.3:1", "localhost:1", "[::1]:1", "unix:/tmp/s"})
    CHECK(is_loopback(ours));
  for (const char* not_ours : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.0.0.1.example.org:1", "127.evil:1", "host:1"})
    CHECK_FALSE(is_loopback(not_ours));
}

TEST_CASE("a payload is cut, sent and put together without a change") {
  std::string a(1000, 'a'), b(1, 'b'), c(2500, 'c');
  const auto bytes = [](std::string& text) { return std::as_writable_bytes(std::span(text)); };
  Outgoing out({bytes(a), bytes(b), {}, bytes(c)});
  std::string x(1001, ' '), y(2500, ' '), part;
  Incoming in({bytes(x), bytes(y)});
  CHECK(in.left() == out.left());
  while (out.next(700, part) > 0) {
    CHECK(part.size() <= 700);
    in.take(part);
  }
  CHECK(in.left() == 0);
  CHECK(x == a + b);
  CHECK(y == c);
  CHECK_THROWS_AS(in.take("z"), LinkError);
}

TEST_CASE("a window never holds more than its size") {
  Window window(10);
  CHECK(window.fits(10));
  window.send(7);
  CHECK_FALSE(window.fits(4));
  CHECK_THROWS_AS(window.credit(8), LinkError);
  window.credit(5);
  CHECK(window.fits(8));
}

}  // namespace lightloop::remote
