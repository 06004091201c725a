#include "driver/api/description.hpp"

#include <catch2/catch.hpp>
#include <limits>

#include "core/error.hpp"
#include "driver/api/fake_device_test.hpp"

namespace lightloop {
namespace {
using Catch::Matchers::Contains;

Settings good() {
  return parse_settings(
      "kind=projection,model=m,input.shape=4x4,input.bits=1,output.shape=9,output.bits=8,output.meaning='a, b',"
      "cost.frame_s=0.001,aux=1,aux.0.name=bias,aux.0.bits=3,aux.0.rest=2");
}

/// What info_from says of the good description with one key changed, or taken away.
std::string refusal(const std::string& key, const Value& value) {
  Settings flat = good();
  flat[key] = value;
  try {
    info_from(flat, "it");
  } catch (const InvalidParameter& error) {
    return error.what();
  }
  return "accepted";
}
}  // namespace

TEST_CASE("description: settings and back, also through text, for every ability") {
  for (int bits = 0; bits < 64; ++bits) {
    const test::FakeDevice device(
        {bool(bits & 1), bool(bits & 2), bool(bits & 4), bool(bits & 8), bool(bits & 16), bool(bits & 32)});
    const Settings flat = to_settings(device.describe());
    CHECK(to_settings(info_from(flat, "fake")) == flat);
    CHECK(to_settings(info_from(parse_settings(format_settings(flat)), "fake")) == flat);
  }
}

TEST_CASE("description: what is left out keeps its default") {
  DeviceInfo instrument;
  instrument.repeatable = false;
  const DeviceInfo info = info_from(good(), "it", instrument);
  CHECK_FALSE(info.repeatable);
  CHECK(info.max_batch == DeviceInfo{}.max_batch);
  CHECK(info.output.meaning == "a, b");
  CHECK(info.aux_inputs.at(0).rest == 2);
  Settings quiet = good();
  quiet["deterministic"] = true;
  CHECK(info_from(quiet, "it", instrument).repeatable);
}

TEST_CASE("description: every damaged key is refused by name") {
  const auto text = [](const char* word) { return Value(std::string(word)); };
  CHECK_THAT(refusal("kind", text("toaster")), Contains("toaster") && Contains("projection"));
  CHECK_THAT(refusal("model", text("")), Contains("model"));
  for (const char* shape : {"", "x", "4x", "4xx4", "0", "-4", "4.5", "4x4 ", "1073741824x2", "9999999999999999999999"})
    CHECK_THAT(refusal("input.shape", text(shape)), Contains("input.shape"));
  CHECK_THAT(refusal("output.bits", std::int64_t{17}), Contains("17") && Contains("1..16"));
  CHECK_THAT(refusal("output.bits", text("eight")), Contains("eight"));
  CHECK_THAT(refusal("max_batch", std::int64_t{0}), Contains("max_batch"));
  CHECK_THAT(refusal("cost.frame_s", -1.0), Contains("cost"));
  CHECK_THAT(refusal("cost.frame_s", text("soon")), Contains("soon"));
  CHECK_THAT(refusal("cost.power_w", std::numeric_limits<double>::quiet_NaN()), Contains("cost"));
  CHECK_THAT(refusal("stateful", std::int64_t{1}), Contains("neither true nor false"));
  CHECK_THAT(refusal("aux", std::int64_t{2}), Contains("aux.1.name"));
  CHECK_THAT(refusal("aux", std::int64_t{1} << 40), Contains("aux"));
  CHECK_THAT(refusal("aux.0.rest", std::int64_t{8}), Contains("bias"));
  CHECK_THAT(refusal("statefull", true), Contains("statefull") && Contains("Did you mean stateful?"));
  Settings liar = good();
  liar["deterministic"] = true;
  liar["repeatable"] = false;
  CHECK_THROWS_WITH(info_from(liar, "it"), Contains("repeats itself"));
  for (const char* key : {"kind", "model", "input.shape", "output.bits", "aux.0.name"}) {
    Settings flat = good();
    flat.erase(key);
    CHECK_THROWS_WITH(info_from(flat, "it"), Contains(std::string(key) + " is missing"));
  }
}

TEST_CASE("description: a parameter's record, settings and back") {
  const test::FakeDevice device({});
  for (const ParamInfo& info : device.settings().infos()) {
    const Settings flat = to_settings(info);
    CHECK(to_settings(param_from(flat, "fake")) == flat);
    CHECK(to_settings(param_from(parse_settings(format_settings(flat)), "fake")) == flat);
  }
  const ParamInfo mode = param_from(parse_settings("name=mode,kind=text,default=b,choices=a|b"), "it");
  CHECK(mode.choices == std::vector<std::string>{"a", "b"});
  const ParamInfo half = param_from(parse_settings("name=t,kind=real,unit=s,default=1,min=0"), "it");
  CHECK(half.max == std::numeric_limits<double>::infinity());
  for (const char* wrong :
       {"kind=real,default=1", "name=a,kind=real", "name=a,default=1", "name=a,kind=number,default=1",
        "name=a,kind=real,default=x", "name=a,kind=integer,default=1.5", "name=a,kind=switch,default=1",
        "name='a b',kind=real,default=1", "name=a,kind=real,default=5,min=0,max=1", "name=a,kind=real,default=1,min=2",
        "name=a,kind=text,default=c,choices=a|b", "name=a,kind=real,default=1,colour=red"})
    CHECK_THROWS_AS(param_from(parse_settings(wrong), "it"), InvalidParameter);
}

}  // namespace lightloop
