#pragma once
// The verbs of the `lightloop` command. cli.cpp turns the command line into these requests; each verb is one file.
#include <optional>
#include <string>
#include <vector>

#include "core/param.hpp"
#include "driver/api/registry.hpp"

namespace lightloop::command {

/// What the process returns; `lightloop --help` lists them.
enum ExitCode { kDone = 0, kFailed = 1, kBadInput = 2, kDeviceFault = 3, kRefused = 4, kInterrupted = 130 };

struct TrainRequest {
  Settings settings;  ///< every namespace: TOML file, then options, then --set
  bool json = false, dry_run = false, yes = false, quiet = false;
};

struct EvalRequest {
  std::string run;
  std::string data;    ///< a known data set or a file; empty: the one of the run
  std::string device;  ///< for its matrix products; empty: that of the run's layers, if any; "digital": none
  Settings settings;   ///< device., layer. and session. settings
  std::string data_dir;
  std::int64_t sample = 0;  ///< characters to draw from a network that learned a text
  double age_s = 0;         ///< seconds that pass between writing and scoring; 0: none
  /// Of a run behind physics: set range, gains and offsets anew, on training samples. With an age: of its layers, then.
  bool recalibrate = false;
  std::string record;  ///< files for the calls of the layers' devices, one for each; empty: none
  bool force = false;  ///< replace them
  bool json = false;
};

struct ReportRequest {
  std::string run, device, data, data_dir;
  Settings settings;  ///< device., layer. and session. settings
  std::int64_t repeats = 5, samples = 1000;
  double age_s = 0;    ///< seconds that pass between writing and scoring; 0: none
  std::string out;     ///< sensitivity: file for `lightloop plot`; empty: none
  bool force = false;  ///< replace it
  double drop = 0.5;   ///< spec: points of accuracy
  double confidence = 0.95;
  std::vector<std::string> over;  ///< spec: "device.adc.bits"
  bool per_layer = true, json = false, quiet = false;
};

struct ReproduceRequest {
  std::string name;  ///< empty: list what there is
  bool full = false;
  std::string out;  ///< folder for runs and plots; empty: NAME in the present folder
  bool json = false;
};

struct SweepRequest {
  std::string file;  ///< TOML
  std::string out;   ///< empty: its name with .h5, in the present folder
  bool force = false, json = false, quiet = false;
};

struct CompareRequest {
  std::string rules, devices = "digital", seeds = "1";  ///< comma-separated
  int jobs = 0;                                         ///< runs at a time; 0: one per processor
  std::string out = "compare";                          ///< folder
  bool force = false, json = false, quiet = false;
  std::vector<std::string> train;  ///< options handed to every `lightloop train`
};

struct ServeRequest {
  std::vector<std::string> devices;  ///< "NAME=STRING" or "STRING"
  std::string listen, tls_cert, tls_key, tls_ca, token_file;
  double timeout_s = 5;
  int max_sessions = 32;
  bool json = false;
};

enum class Format { text, json, markdown };

int train(const TrainRequest& request, const Registry& registry);
int eval(const EvalRequest& request, const Registry& registry);
int devices(const std::string& name, Format format, const Registry& registry);
/// Where to record what was asked and answered, for replay:FILE.
struct RecordOptions {
  std::string file;  ///< empty: nowhere
  bool force = false;
};
int check(const std::string& address, const Settings& settings, const RecordOptions& record, Format format,
          const Registry& registry);
int physics(const std::string& address, const Settings& settings, Format format, const Registry& registry);
int data_list(Format format, const std::string& data_dir);
int data_show(const std::string& name, Format format, const std::string& data_dir);
int data_download(const std::string& name, Format format, const std::string& data_dir);
/// All of them, or the one named.
int rules(const std::string& name, Format format);
/// Ends with the first SIGINT or SIGTERM.
int serve(const ServeRequest& request, const Registry& registry);
int show(const std::string& file, Format format);
int plot(const std::vector<std::string>& files, const std::string& out, Format format);
int report_sensitivity(const ReportRequest& request, const Registry& registry);
int report_spec(const ReportRequest& request, const Registry& registry);
int reproduce(const ReproduceRequest& request);
/// With a measure in Python the process is handed over to Python: does not return unless there is none.
int sweep(const SweepRequest& request, const Registry& registry);

/// Hands the process over to Python: does not return unless there is none.
int compare(const CompareRequest& request);

/// Parses and runs a command line; throws what went wrong.
int parse_and_run(int argc, char** argv);

/// Parses and runs a whole command line; every exception becomes one line on stderr and an exit code.
int main(int argc, char** argv);

}  // namespace lightloop::command
