#include "devices/room.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"

namespace lightloop {

TEST_CASE("tables larger than memory are refused by name, with size and room") {
  CHECK_NOTHROW(check_room("cells", 0x1p20, "Lower input.size."));
  try {
    check_room("cells", 0x1p40, "Lower input.size.");
    FAIL("accepted");
  } catch (const OutOfRange& error) {
    CHECK(error.subject() == "cells");
    CHECK(error.value() == "1024 GiB");
    CHECK_THAT(error.limit(), Catch::Matchers::EndsWith(" GiB of memory"));
    CHECK(error.hint() == "Lower input.size.");
  }
}

}  // namespace lightloop
