#include "driver/backends/fault/fault.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>

#include "core/error.hpp"
#include "core/file.hpp"
#include "driver/api/conformance.hpp"
#include "driver/api/fake_device_test.hpp"
#include "driver/api/session.hpp"

namespace lightloop {
namespace {
using Catch::Matchers::Contains;
using test::FakeDevice;
using test::FakeOptions;

struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("lightloop-fault-" + std::to_string(::getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string script(const std::string& text) const {
    write_file((path / "script.toml").string(), text);
    return "fault:" + (path / "script.toml").string() + "@fake:it";
  }
};

Registry registry(const FakeOptions& options) {
  Registry all;
  all.add_backend("fault", fault::backend());
  all.add_backend("fake", [=](const DeviceAddress&, const Registry&) -> std::unique_ptr<Device> {
    return std::make_unique<FakeDevice>(options);
  });
  return all;
}

const FakeOptions kPlain{false, true, false, false, false};

/// Codes of three batches of six frames.
std::vector<std::uint32_t> use(Session& session) {
  FrameBuffer in({{6}, 4, ""}, 6), out({{4}, 10, ""}, 6);
  std::vector<std::uint32_t> all;
  for (std::uint32_t batch = 0; batch < 3; ++batch) {
    for (Index f = 0; f < 6; ++f)
      for (Index i = 0; i < 6; ++i) in.frames().set(f, i, (batch * 5 + static_cast<std::uint32_t>(f * 7 + i * 3)) % 16);
    session.run(in.frames(), out.frames());
    for (Index k = 0; k < 24; ++k) all.push_back(out.frames().at(0, k));
  }
  return all;
}

std::vector<std::uint32_t> undisturbed(const FakeOptions& options = kPlain) {
  Session session(std::make_unique<FakeDevice>(options));
  return use(session);
}
}  // namespace

TEST_CASE("with an empty script a faulty device keeps the contract") {
  const Folder folder;
  const std::string address = folder.script("");
  for (const bool on : {false, true}) {
    const FakeOptions options{on, on, on, on, on};
    const Registry all = registry(options);
    std::set<std::string> failed;
    for (const CheckResult& result : check_device([&] { return all.open(address); }))
      if (result.outcome == CheckResult::Outcome::failed) failed.insert(result.name + ": " + result.detail);
    CHECK(failed == std::set<std::string>{});
  }
}

TEST_CASE("a session repairs every fault that can be seen, and counts it") {
  const Folder folder;
  struct Case {
    const char* script;
    std::int64_t retries, losses;
  };
  for (const Case& one :
       {Case{"[drop]\nat = [8]", 1, 0}, Case{"[duplicate]\nat = 7", 1, 0}, Case{"[shift]\nat = [6]", 1, 0},
        Case{"[shift]\nat = [0]", 1, 0}, Case{"[corrupt]\nat = [3, 9, 10]\nbits = 2", 3, 0},
        Case{"[disconnect]\nat = [8]\nattempts = 1", 1, 1}, Case{"[delay]\nat = [8]\nseconds = 0.01", 0, 0},
        Case{"[hang]\nat = [8]\nseconds = 0.01", 0, 0},
        Case{"seed = 3\n[drop]\nrate = 0.1\n[disconnect]\nrate = 0.1\n[duplicate]\nrate = 0.1", -1, -1}}) {
    INFO(one.script);
    const std::string log = (folder.path / "log").string();
    std::filesystem::remove(log);
    const auto session = open_session(registry(kPlain), folder.script("log = \"log\"\n" + std::string(one.script)));
    CHECK(use(*session) == undisturbed());
    CHECK(std::filesystem::exists(log));
    if (one.retries < 0) continue;
    CHECK(session->meter().retries == one.retries);
    CHECK(session->meter().losses == one.losses);
    CHECK(session->meter().reopened == one.losses);
  }
}

TEST_CASE("hidden faults are wrong answers, found by check frames or repeats") {
  const Folder folder;
  const FakeOptions silent{false, false, false, false, false};
  struct Case {
    const char* script;
    bool by_checks, by_repeats;
  };
  for (const Case& one :
       {Case{"[drop]\nat = [8]\nhidden = true", true, true}, Case{"[duplicate]\nat = [7]\nhidden = true", true, true},
        Case{"[shift]\nat = [6]\nhidden = true", true, true}, Case{"[corrupt]\nat = [9]\nhidden = true", false, true},
        Case{"[saturate]\nat = [9]\nframes = 2", false, true}, Case{"[mode_hop]\nat = [9]\nframes = 2", false, true},
        Case{"[mode_hop]\nat = [9]\nframes = 5", true, true}, Case{"[warm_up]\ndepth = 0.2", true, false}}) {
    for (const int way : {0, 1, 2}) {
      INFO(one.script << ", way " << way);
      Settings policy;
      if (way == 1) policy["session.check_every"] = std::int64_t{1};
      if (way == 2) policy["session.repeat"] = true;
      const auto session = open_session(registry(silent), folder.script(one.script), policy);
      const bool found = way == 1 ? one.by_checks : way == 2 && one.by_repeats;
      std::vector<std::uint32_t> answers;
      try {
        answers = use(*session);
      } catch (const LinkError&) {
        CHECK(std::string(one.script).starts_with("[warm_up]"));
        CHECK(found);
        continue;
      }
      CHECK((answers == undisturbed(silent)) == found);
    }
  }
}

TEST_CASE("a burst of saturation can be refused by its amount") {
  const Folder folder;
  const auto session = open_session(registry(kPlain), folder.script("[saturate]\nat = [9]\nframes = 2"),
                                    {{"session.max_saturation", 0.2}});
  CHECK(use(*session) == undisturbed());
  CHECK(session->meter().saturated >= 8);
}

TEST_CASE("a frame is spared after its share, also by a device opened anew, and another registry begins anew") {
  const Folder folder;
  const std::string address = folder.script("[disconnect]\nat = [0]\ntimes = 2");
  const Registry all = registry(kPlain);
  FrameBuffer in({{6}, 4, ""}, 1), out({{4}, 10, ""}, 1);
  for (int i = 0; i < 2; ++i) {
    const auto device = all.open(address);
    CHECK_THROWS_AS(device->run(in.frames(), out.frames()), LinkError);
    CHECK_THROWS_AS(device->run(in.frames(), out.frames(), {.first_frame_id = 5}), LinkError);
  }
  const auto device = all.open(address);
  CHECK_NOTHROW(device->run(in.frames(), out.frames()));
  bool counted = false;
  for (const Monitor& monitor : device->monitors()) counted |= monitor.name == "fault.disconnect" && monitor.value == 2;
  CHECK(counted);
  CHECK_THROWS_AS(registry(kPlain).open(address)->run(in.frames(), out.frames()), LinkError);
}

TEST_CASE("a delay heeds the deadline, a hang does not") {
  const Folder folder;
  FrameBuffer in({{6}, 4, ""}, 1), out({{4}, 10, ""}, 1);
  for (const std::string kind : {"delay", "hang"}) {
    const auto device = registry(kPlain).open(folder.script("[" + kind + "]\nat = [0]\nseconds = 0.3"));
    const auto start = std::chrono::steady_clock::now();
    const RunOptions options{.deadline = start + std::chrono::milliseconds(50)};
    CHECK_THROWS_AS(device->run(in.frames(), out.frames(), options), Timeout);
    CHECK((std::chrono::steady_clock::now() - start > std::chrono::milliseconds(250)) == (kind == "hang"));
  }
}

TEST_CASE("a script that is not understood is refused with its name") {
  const Folder folder;
  const Registry all = registry(kPlain);
  CHECK_THROWS_WITH(all.open(folder.script("[dorp]\nat = [1]")), Contains("[dorp]") && Contains("drop"));
  CHECK_THROWS_WITH(all.open(folder.script("[drop]\nhidden = true")), Contains("never happens"));
  CHECK_THROWS_WITH(all.open(folder.script("[drop]\nta = [1]")), Contains("ta"));
  CHECK_THROWS_WITH(all.open(folder.script("[drop]\nat = [1, -2]")), Contains("frame ids"));
  CHECK_THROWS_AS(all.open(folder.script("sead = 1")), UnknownName);
  CHECK_THROWS_AS(all.open("fault:none.toml@fake:it"), FileError);
  CHECK_THROWS_WITH(all.open("fault:script.toml"), Contains("@sim:opu"));
}

}  // namespace lightloop
