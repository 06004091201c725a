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
