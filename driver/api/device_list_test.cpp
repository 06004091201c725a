#include "driver/api/device_list.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/temporary_folder_for_tests.hpp"
#include "driver/api/registry.hpp"

namespace lightloop {
namespace {

using test::TemporaryFolder;
using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("a device string names one device, whatever stands in its settings") {
  for (const char* one : {"sim:opu", "sim:opu,seed=7,note='a, sim:b'", "sim:opu,note=\"it\"\"s, sim:b\",k=a:b",
                          "fault:script.toml@sim:opu,seed=7", "remote:[::1]:50051/opu0,tls_ca=ca.pem",
                          "sim:opu,note='{0..3}'", "sim:opu,", "opu", "", "python:{x}:{..}", "sim:opu,bits"})
    CHECK(device_list(one) == Strings{one});
}

TEST_CASE("a piece that names a backend or a file begins the next device") {
  CHECK(device_list("remote:a:1/m0,remote:b:2/m1") == Strings{"remote:a:1/m0", "remote:b:2/m1"});
  CHECK(device_list("sim:a,seed=1,k='x,y', sim:b ,seed=2") == Strings{"sim:a,seed=1,k='x,y'", "sim:b ,seed=2"});
  CHECK(device_list("fault:s.toml@sim:a,seed=1,sim:b") == Strings{"fault:s.toml@sim:a,seed=1", "sim:b"});
}

TEST_CASE("a range counts devices") {
  CHECK(device_list("remote:lab:1/m{0..3}") ==
        Strings{"remote:lab:1/m0", "remote:lab:1/m1", "remote:lab:1/m2", "remote:lab:1/m3"});
  CHECK(device_list("sim:a,seed={9..10},k=1") == Strings{"sim:a,seed=9,k=1", "sim:a,seed=10,k=1"});
  CHECK(device_list("remote:h{1..2}:1/m{09..10},sim:b") ==
        Strings{"remote:h1:1/m09", "remote:h1:1/m10", "remote:h2:1/m09", "remote:h2:1/m10", "sim:b"});
  CHECK(device_list("sim:a{2..2}") == Strings{"sim:a2"});
  CHECK_THROWS_AS(device_list("sim:a{3..0}"), InvalidParameter);
  CHECK_THROWS_AS(device_list("sim:a{0..9999999}"), OutOfRange);
}

TEST_CASE("a device file may name several, and files may be named") {
  const TemporaryFolder folder;
  const std::string path = folder / "lab.toml";
  std::FILE* file = std::fopen(path.c_str(), "w");
  std::fputs("device = \"remote:lab:1/m{0..1}\"\n[settings]\ntoken_file = \"token\"\n", file);
  std::fclose(file);
  CHECK(device_list(path) == Strings{"remote:lab:1/m0,token_file=token", "remote:lab:1/m1,token_file=token"});
  CHECK(device_list("sim:a," + path).size() == 3);
  CHECK_THROWS_AS(device_list("sim:a,missing.toml"), FileError);
}

}  // namespace lightloop
