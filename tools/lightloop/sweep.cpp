// `lightloop sweep`: a TOML file as a sweep. Only measures that are Python functions need Python.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "core/error.hpp"
#include "tools/lightloop/command.hpp"
#include "tools/lightloop/interrupt.hpp"
#include "tools/lightloop/script.hpp"
#include "tools/lightloop/text.hpp"
#include "training/sweep/file.hpp"
#include "training/sweep/summary.hpp"

namespace lightloop::command {
namespace {
using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// How far the sweep is, on stderr: a moving line on a terminal, else a line every ten seconds.
class Line {
 public:
  explicit Line(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) != 0) {}
  ~Line() {
    if (moving_) std::fputs("\r\033[K", stderr);
  }
  void operator()(Index done, Index total, const std::string& where) {
    if (where.empty()) {
      first_ = done;
      start_ = Clock::now();
      return;
    }
    if (quiet_ || seconds_since(shown_) < (terminal_ ? 0.1 : 10)) return;
    shown_ = Clock::now();
    const double left = seconds_since(start_) / static_cast<double>(done - first_) * static_cast<double>(total - done);
    std::fprintf(stderr, "%ssweep %td/%td  %s left  %s%s", terminal_ ? "\r\033[K" : "", done, total,
                 duration(left).c_str(), where.c_str(), terminal_ ? "" : "\n");
    moving_ = terminal_;
  }

 private:
  bool quiet_, terminal_, moving_ = false;
  Index first_ = 0;
  Clock::time_point start_ = Clock::now(), shown_ = start_;
};

/// The sweep with its Python functions, by the Python package.
[[noreturn]] void by_python(const SweepRequest& request, const std::string& out, const std::string& measure) {
  std::vector<std::string> arguments = {request.file, "-o", out};
  if (request.force) arguments.push_back("--force");
  if (request.json) arguments.push_back("--json");
  if (request.quiet) arguments.push_back("--quiet");
  become_script(shared_file("sweep.py"), arguments, {"numpy", "xarray", "h5netcdf"});
  throw Unsupported(
      "measure \"" + measure + "\"", "a Python function, and Python with numpy, xarray and h5netcdf is not there", "",
      "Install python3-xarray and python3-h5netcdf, name a Python in $LIGHTLOOP_PYTHON, or take a built-in "
      "measure.");
}
}  // namespace

int sweep(const SweepRequest& request, const Registry& registry) {
  if (!std::filesystem::exists(request.file))
    throw FileError(request.file, "not found", "", "Name a TOML file; lightloop sweep --help shows one.");
  const std::string out = request.out.empty()
                              ? std::filesystem::path(request.file).filename().replace_extension(".h5").string()
                              : request.out;
  const auto start = Clock::now();
  sweeps::SweepFile asked = sweeps::read_sweep(request.file);
  const auto python =
      std::find_if(asked.measures.begin(), asked.measures.end(), [](const auto& m) { return m.in_python(); });
  if (python != asked.measures.end()) by_python(request, out, python->name);
  sweeps::use_measures(asked.sweep, asked.measures);
  asked.sweep.out = out;
  asked.sweep.overwrite = request.force;
  const Interrupt interrupt;
  asked.sweep.poll = [&] {
    if (interrupt.requested()) throw Cancelled("sweep", "stopped");
  };
  Index resumed = 0;
  try {
    Line line(request.quiet || request.json);
    asked.sweep.progress = [&](Index done, Index total, const std::string& where) {
      if (where.empty()) resumed = done;
      line(done, total, where);
    };
    sweeps::run(registry, asked.sweep);
  } catch (const Cancelled&) {
    if (!interrupt.requested()) throw;
    std::fprintf(stderr, "lightloop: stopped; what is done is kept in %s.parts, the same line goes on from there\n",
                 out.c_str());
    return kInterrupted;
  }
  if (request.json)
    std::puts(sweeps::summary_json(out, seconds_since(start), resumed).c_str());
  else
    std::fputs(sweeps::summary_text(out, seconds_since(start)).c_str(), stdout);
  return kDone;
}

}  // namespace lightloop::command
