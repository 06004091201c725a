// A rule that works while the device does, against the same rule that waits.
#include <catch2/catch.hpp>

#include "tests/overlap_for_tests.hpp"

using namespace lightloop;

namespace {
std::vector<float> gradients(const std::string& name, const std::string& device, bool waiting) {
  test::OnDevice work(name, device, {20, 24, 16, 5}, 32, waiting);
  std::vector<float> all;
  for (Index batch = 0; batch < 3; ++batch) {
    work.show(batch);
    const std::vector<float>& gradient = work.gradient();
    all.insert(all.end(), gradient.begin(), gradient.end());
  }
  return all;
}
}  // namespace

TEST_CASE("gradients do not depend on whether the rule waits for the device") {
  for (const char* name : {"dfa", "tdfa", "sdfa", "drtp"})
    for (const char* device : {"sim:opu", "sim:opu,medium.drift_time=10 s"}) {
      INFO(name << " on " << device);
      CHECK(gradients(name, device, false) == gradients(name, device, true));
    }
}

TEST_CASE("while the device works the rule does the output layer, and begins to wait when that is done") {
  const std::vector<Index> widths = {20, 64, 48, 30};
  constexpr Index kBatch = 32;
  for (const char* name : {"dfa", "tdfa", "sdfa", "drtp"}) {
    INFO(name);
    auto feedback = std::make_unique<test::Sleeping>(30, 64, 0.05);
    test::Sleeping* device = feedback.get();
    test::OnDevice work(name, std::move(feedback), widths, kBatch, false);
    work.show(0);
    const std::vector<float> first = work.gradient();
    work.show(1);
    const std::size_t output = first.size() - (48 * 30 + 30);  // its parameters are the last ones
    std::vector<float> at_wait;
    device->on_wait = [&] { at_wait = work.present(); };
    const std::vector<float> whole = work.gradient();
    REQUIRE(at_wait.size() == whole.size());
    const auto same = [&](const std::vector<float>& other, std::size_t from, std::size_t to) {
      return std::equal(whole.begin() + std::ptrdiff_t(from), whole.begin() + std::ptrdiff_t(to),
                        other.begin() + std::ptrdiff_t(from));
    };
    CHECK(same(at_wait, output, whole.size()));
    CHECK_FALSE(same(first, output, whole.size()));  // it is this batch's
    CHECK_FALSE(same(at_wait, 0, output));           // which needs the device
  }
}

TEST_CASE("with a delay the device works through the rest of the step and the next forward pass") {
  const std::vector<Index> widths = {20, 64, 48, 30};
  for (const char* name : {"dfa", "tdfa", "sdfa"}) {
    INFO(name);
    auto feedback = std::make_unique<test::Sleeping>(30, 64, 0.02);
    test::Sleeping* device = feedback.get();
    test::OnDevice work(name, std::move(feedback), widths, 32, false, {{"delay", std::int64_t{1}}});
    int waits = 0;
    device->on_wait = [&] { ++waits; };
    for (int step = 0; step < 4; ++step) {
      work.step(step % 3);
      CHECK(waits == step);  // of the batch before, when the next error was there
    }
  }
}
