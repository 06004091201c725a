#include "core/random_side_by_side.hpp"

#include <catch2/catch.hpp>
#include <vector>

namespace lightloop {

TEST_CASE("deviates drawn side by side are those of the members' own streams, bit for bit") {
  const SideBySide side(7, 100, Purpose::laser_spontaneous);
  const std::uint64_t row = (std::uint64_t{3} << 32) - 2;  // the carry into the high word of the counter
  std::vector<float> members(5 * kDeviates * kSide), one(5 * kDeviates), expected(kDeviates);
  side.members(row, members);
  side.one(row, one);
  bool equal = true;
  for (std::size_t lane = 0; lane < kSide; ++lane) {
    const Stream stream(7, 100 + lane, Purpose::laser_spontaneous);
    for (std::size_t step = 0; step < 5; ++step) {
      stream.normal(row + step, 0, expected);
      for (std::size_t c = 0; c < kDeviates; ++c) {
        equal &= members[(step * kDeviates + c) * kSide + lane] == expected[c];
        if (lane == 0) equal &= one[step * kDeviates + c] == expected[c];
      }
    }
  }
  CHECK(equal);
}

TEST_CASE("one member's deviates do not depend on how its steps are cut") {
  const SideBySide side(8, 0, Purpose::user);
  std::vector<float> whole(40 * kDeviates), part(40 * kDeviates);
  side.one(1000, whole);
  side.one(1000, std::span(part).first(7 * kDeviates));
  side.one(1007, std::span(part).subspan(7 * kDeviates));
  CHECK(whole == part);
}

}  // namespace lightloop
