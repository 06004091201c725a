// Every exception becomes one line on stderr and an exit code.
#include <cstdio>
#include <new>

#include "core/error.hpp"
#include "driver/api/device.hpp"
#include "tools/lightloop/command.hpp"

namespace lightloop::command {
namespace {
int report(const std::exception& error, ExitCode code) {
  std::fprintf(stderr, "lightloop: %s\n", error.what());
  return code;
}
}  // namespace

int main(int argc, char** argv) try { return parse_and_run(argc, argv); } catch (const Timeout& error) {
  return report(error, kDeviceFault);
} catch (const WaitTimeout& error) {
  return report(error, kDeviceFault);
} catch (const LinkError& error) {
  return report(error, kDeviceFault);
} catch (const Busy& error) {
  return report(error, kDeviceFault);
} catch (const DeviceError& error) {
  return report(error, kDeviceFault);
} catch (const Refused& error) {
  return report(error, kRefused);
} catch (const InternalError& error) {
  return report(error, kFailed);
} catch (const Error& error) {
  return report(error, kBadInput);
} catch (const std::bad_alloc&) {
  std::fputs("lightloop: out of memory. Use a smaller net, batch or device.\n", stderr);
  return kFailed;
} catch (const std::exception& error) {
  return report(error, kFailed);
}

}  // namespace lightloop::command
