#include "core/error.hpp"

#include <catch2/catch.hpp>

using namespace lightloop;

TEST_CASE("error: a message reads what, value, limit, hint and leaves empty parts out") {
  CHECK(std::string(Error("camera.bits", "20", "allowed 1 to 16", "Bits of the ADC").what()) ==
        "camera.bits: 20 (allowed 1 to 16). Bits of the ADC");
  CHECK(std::string(Error("file", "gone").what()) == "file: gone");
  CHECK(std::string(Error("no device", "", "", "Open one.").what()) == "no device. Open one.");
}

TEST_CASE("error: every part can be read back and every kind is caught as Error") {
  try {
    throw OutOfRange("lr", "-1", "at least 0", "Learning rate");
  } catch (const InvalidParameter& error) {
    CHECK(error.subject() == "lr");
    CHECK(error.value() == "-1");
    CHECK(error.limit() == "at least 0");
    CHECK(error.hint() == "Learning rate");
  }
  CHECK_THROWS_AS(throw UnknownName("a", "b"), InvalidParameter);
  CHECK_THROWS_AS(throw ShapeMismatch("a", "b"), InvalidParameter);
  CHECK_THROWS_AS(throw Unsupported("a", "b"), Error);
  CHECK_THROWS_AS(throw FileError("a", "b"), Error);
}

TEST_CASE("error: a failed internal check throws and says where") {
  CHECK_NOTHROW(LIGHTLOOP_ASSERT(1 + 1 == 2));
  CHECK_THROWS_AS(LIGHTLOOP_ASSERT(1 + 1 == 3), InternalError);
  CHECK_THROWS_WITH(LIGHTLOOP_ASSERT(false), Catch::Matchers::Contains("error_test.cpp"));
}
