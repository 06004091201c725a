#include "training/sweep/generator.hpp"

#include <Random123/philox.h>

#include <catch2/catch.hpp>

using namespace lightloop::sweeps;

TEST_CASE("sweep generator: the words and numbers are those of NumPy's SeedSequence, Philox and Generator.uniform") {
  // numpy 1.24: SeedSequence([3, 1]).generate_state(5), and of [2**40 + 5, 2] the first word, halved
  CHECK(seed_words({3, 1}, 5) ==
        std::vector<std::uint32_t>{457190280u, 2660306227u, 859341110u, 354512857u, 3507208499u});
  CHECK(device_seed((std::uint64_t{1} << 40) + 5, 2) == 1847476377);
  // numpy 1.24: Generator(Philox(SeedSequence([3, 1, 2**40 + 7, 0, 9]))).uniform(-1, 1, 6)
  const double wanted[] = {0x1.bbd5555b63342p-1,  -0x1.468dc27c7b730p-1, -0x1.35b058523609ep-1,
                           -0x1.1a0b0539f5210p-1, -0x1.f86292d2330e4p-2, -0x1.93835598f9600p-7};
  Generator generator({3, 1, (std::uint64_t{1} << 40) + 7, 0, 9});
  double drawn[6];
  generator(drawn);
  for (int i = 0; i < 6; ++i) CHECK(drawn[i] == wanted[i]);
}

TEST_CASE("sweep generator: blocks are Philox4x64-10 as Random123 has it") {
  const std::vector<std::uint64_t> entropy = {12, 34};
  const auto words = seed_words(entropy, 4);
  philox4x64_key_t key = {{words[0] | std::uint64_t{words[1]} << 32, words[2] | std::uint64_t{words[3]} << 32}};
  Generator generator(entropy);
  for (std::uint64_t block = 1; block < 4; ++block) {
    const auto wanted = philox4x64_R(10, philox4x64_ctr_t{{block, 0, 0, 0}}, key);
    for (int i = 0; i < 4; ++i) CHECK(generator.next() == wanted.v[i]);
  }
}
