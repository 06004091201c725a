// The command line: options become requests. CLI11 is compiled only here.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <thread>

#include "core/error.hpp"
#include "core/threads.hpp"
#include "core/units.hpp"
#include "devices/catalogue.hpp"
#include "driver/backends/backends.hpp"
#include "tools/lightloop/command.hpp"
#include "tools/lightloop/help.hpp"
#include "tools/lightloop/text.hpp"
#include "training/trainer.hpp"

namespace lightloop::command {
namespace {
using Assignments = std::vector<std::string>;

/// Text as typed on the command line as the kind of value the parameter has.
Value typed(const ParamInfo& info, const std::string& text) {
  if (std::holds_alternative<std::string>(info.default_value)) return text;
  return parse_assignment(info.name + "=" + text).second;
}

void assign(Settings& settings, const Assignments& assignments) {
  for (const auto& text : assignments) {
    auto [key, value] = parse_assignment(text);
    settings[key] = value;
  }
}

std::string help_of(const ParamInfo& info) {
  if (std::holds_alternative<bool>(info.default_value)) return info.help + " (default " + default_of(info) + ")";
  const std::string range = range_of(info);
  return info.help + " (" + (range == "text" || range.starts_with("any") ? "" : range + "; ") + "default " +
         default_of(info) + ")";
}

struct TrainOptions {
  TrainRequest request;
  std::string config;
  Assignments set;
  Settings given;
};

void add_train(CLI::App& app, TrainOptions& options) {
  app.footer(kTrainHelp);
  app.add_option("--config", options.config, "TOML file with any of these settings")->type_name("FILE");
  app.add_option("--set", options.set, "any setting: --set device.camera.bits=8 (repeatable)")->type_name("KEY=VALUE");
  app.add_flag("--json", options.request.json, "print the result as JSON");
  app.add_flag("--quiet", options.request.quiet, "no progress and no plan");
  for (const ParamInfo& info : train_params()) {
    const std::string option = "--" + dashed(info.name);
    const auto keep = [&options, info](const std::string& text) {
      options.given["train." + info.name] = typed(info, text);
    };
    if (std::holds_alternative<bool>(info.default_value))
      app.add_flag_function(
          option + ",!--no-" + dashed(info.name),
          [&options, info](std::int64_t on) { options.given["train." + info.name] = on > 0; }, help_of(info));
    else
      app.add_option_function<std::string>(option, keep, help_of(info))
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
          ->type_name(info.unit.size() > 1 ? info.unit : "VALUE");
  }
}

/// run.h5, or the first of run-2.h5, run-3.h5, ... that is not there yet and that nobody is about to write.
std::string default_out(bool force) {
  std::string name = "run.h5";
  for (int i = 2; !force && (std::filesystem::exists(name) || std::filesystem::exists(name + ".lock")); ++i)
    name = "run-" + std::to_string(i) + ".h5";
  return name;
}

int run_train(TrainOptions& options, const Registry& registry) {
  Settings& settings = options.request.settings;
  if (!options.config.empty()) settings = read_toml(options.config);
  for (const auto& [key, value] : options.given) settings[key] = value;
  assign(settings, options.set);
  const bool elsewhere = settings.contains("train.out") || settings.contains("train.resume");
  const auto force = settings.find("train.force");
  if (!elsewhere) settings["train.out"] = default_out(force != settings.end() && force->second == Value(true));
  return train(options.request, registry);
}

/// --json and, where it makes sense, --markdown.
struct FormatOptions {
  bool json = false, markdown = false;
  void add(CLI::App& app, bool with_markdown = false) {
    app.add_flag("--json", json, "print JSON");
    if (with_markdown) app.add_flag("--markdown", markdown, "print the page of docs/");
  }
  Format format() const { return json ? Format::json : markdown ? Format::markdown : Format::text; }
};

/// --age "30 d": time that devices drift once the weights are written.
void add_age(CLI::App& verb, double& age_s) {
  verb.add_option_function<std::string>(
          "--age",
          [&age_s](const std::string& text) {
            age_s = parse_quantity(text, "s", "--age");
            if (!(age_s > 0)) throw OutOfRange("--age", text, "above 0", "Leave it out for devices just written.");
          },
          "time that passes once the weights are written, on devices with a clock: \"30 d\"")
      ->type_name("TIME");
}

/// --threads as `train` has it.
void add_threads(CLI::App& verb) {
  verb.add_option_function<int>(
          "--threads",
          [](int count) {
            set_threads(count > 0 ? count : static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
          },
          "processors to use; 0: all. Results do not depend on it")
      ->check(CLI::Range(0, 4096))
      ->type_name("N");
}

/// CLI11 only says that a subcommand is missing.
void check_verb_name(const CLI::App& app, const std::string& word) {
  std::vector<std::string> verbs;
  for (const auto* known : app.get_subcommands([](const CLI::App*) { return true; }))
    verbs.push_back(known->get_name());
  if (word.empty() || word[0] == '-' || std::find(verbs.begin(), verbs.end(), word) != verbs.end()) return;
  const auto near = nearest(word, verbs);
  throw UnknownName("verb", word, "known: " + join(verbs, ", "), near ? "Did you mean " + *near + "?" : "");
}

/// "lightloop data show": the verbs as far as they were understood.
std::string path_of(const CLI::App& app) {
  std::string path = app.get_name();
  for (const CLI::App* which = &app; !which->get_subcommands().empty();)
    path += " " + (which = which->get_subcommands().front())->get_name();
  return path;
}

/// What CLI11 did not expect, with the option that was probably meant.
std::string unexpected(const CLI::App& app) {
  std::vector<std::string> known;
  for (const CLI::App* which = &app; !which->get_subcommands().empty();) {
    which = which->get_subcommands().front();
    for (const CLI::Option* option : which->get_options())
      for (const auto& name : option->get_lnames()) known.push_back("--" + name);
  }
  const auto words = app.remaining(true);
  const std::string word = words.empty() ? "" : words.front().substr(0, words.front().find('='));
  const bool option = word.starts_with("-");
  const auto near = option ? nearest(word, known) : std::nullopt;
  return (option ? "unknown option " : "one word too many: ") + word + "." +
         (near ? " Did you mean " + *near + "?" : "") + " See " + path_of(app) + " --help.";
}

}  // namespace

int parse_and_run(int argc, char** argv) {
  Registry registry;
  add_devices(registry);
  add_backends(registry);
  CLI::App app("Lightloop trains neural networks on light: on simulated photonic co-processors, or on real ones.",
               "lightloop");
  app.footer(std::string(kExamples) + kExitCodes);
  app.set_version_flag("--version", "lightloop " LIGHTLOOP_VERSION);
  app.require_subcommand(1);
  app.failure_message([](const CLI::App* which, const CLI::Error& error) {
    const bool verbless = which->get_subcommands().empty();
    return "lightloop: " + (verbless ? "say what to do: a verb is missing" : std::string(error.what())) + ". See " +
           path_of(*which) + " --help.\n";
  });
  int status = kDone;
  const auto verb = [&](const char* name, const char* help) { return app.add_subcommand(name, help); };

  TrainOptions training;
  auto* train_verb = verb("train", "train a network, on a device or without one");
  add_train(*train_verb, training);
  train_verb->callback([&] { status = run_train(training, registry); });

  EvalRequest evaluation;
  auto* eval_verb = verb("eval", "score a trained network on labelled data");
  eval_verb->add_option("run", evaluation.run, "run file")->required()->type_name("RUN.h5");
  eval_verb->add_option(
      "--data,--dataset", evaluation.data,
      "known data set, or a .csv, .h5 or .txt file, a text in the run's windows (default: that of the run)");
  eval_verb->add_option("--data-dir", evaluation.data_dir, "where data sets are looked for first");
  eval_verb->add_option("--device", evaluation.device,
                        "device string for the matrix products, or of a run's --map: sim:crossbar, remote:..");
  Assignments eval_set;
  eval_verb
      ->add_option("--set", eval_set, "a setting of the devices or of the layers: device.adc.bits=6, layer.cells=...")
      ->type_name("KEY=VALUE");
  eval_verb->add_option("--sample", evaluation.sample, "of a network that learned a text: draw N characters from it")
      ->check(CLI::Range(0, 1000000))
      ->type_name("N");
  add_age(*eval_verb, evaluation.age_s);
  eval_verb->add_flag(
      "--recalibrate", evaluation.recalibrate,
      "of a run behind physics (--map): take out what gains and offsets of its detectors have done since, "
      "by showing its first rows again; with --age: gains and offsets of the layers at that age");
  eval_verb
      ->add_option(
          "--record", evaluation.record,
          "with --device: file to record the layers' device in, for --device replay:FILE; of several devices one "
          "for each, run-{0..2}.h5")
      ->type_name("FILE.h5");
  eval_verb->add_flag("--force", evaluation.force, "replace the files of --record");
  add_threads(*eval_verb);
  eval_verb->add_flag("--json", evaluation.json, "print JSON");
  eval_verb->callback([&] {
    assign(evaluation.settings, eval_set);
    status = eval(evaluation, registry);
  });

  std::string device, address;
  FormatOptions devices_format;
  auto* devices_verb = verb("devices", "the catalogue: every device with every setting, unit, default and range");
  devices_verb->add_option("device", device, "only this one")->type_name("NAME");
  devices_format.add(*devices_verb, true);
  devices_verb->callback([&] { status = devices(device, devices_format.format(), registry); });

  Assignments check_set;
  FormatOptions check_format;
  auto* check_verb = verb("check", "run the conformance suite on a device");
  check_verb->add_option("device", address, "device string or .toml file")->required()->type_name("DEVICE");
  check_verb->add_option("--set", check_set, "a setting of the device")->type_name("KEY=VALUE");
  bool check_physics = false;
  check_verb->add_flag("--physics", check_physics,
                       "measure the simulated device's physics beside its formulas instead");
  RecordOptions check_record;
  check_verb
      ->add_option("--record", check_record.file,
                   "file to record every question and answer in; check replay:FILE asks the file")
      ->type_name("FILE")
      ->excludes("--physics");
  check_verb->add_flag("--force", check_record.force, "replace the file named by --record if it exists");
  check_format.add(*check_verb);
  check_verb->callback([&] {
    Settings settings;
    assign(settings, check_set);
    status = check_physics ? physics(address, settings, check_format.format(), registry)
                           : check(address, settings, check_record, check_format.format(), registry);
  });

  std::string data_name, data_dir;
  FormatOptions data_format;
  auto* data_verb = verb("data", "known data sets: list, show one, download one");
  data_verb->add_option("--data-dir", data_dir, "folder to look in first, or to download into");
  data_format.add(*data_verb);
  data_verb->require_subcommand(0, 1);
  auto* data_show_verb = data_verb->add_subcommand("show", "sizes, classes and where it was found")->fallthrough();
  data_show_verb->add_option("name", data_name)->required()->type_name("NAME");
  auto* data_get_verb =
      data_verb->add_subcommand("download", "fetch from the official address, SHA-256 checked")->fallthrough();
  data_get_verb->add_option("name", data_name)->required()->type_name("NAME");
  data_verb->callback([&] {
    if (*data_show_verb)
      status = data_show(data_name, data_format.format(), data_dir);
    else if (*data_get_verb)
      status = data_download(data_name, data_format.format(), data_dir);
    else
      status = data_list(data_format.format(), data_dir);
  });

  FormatOptions rules_format;
  auto* rules_verb = verb("rules", "the learning rules, their equations and settings");
  rules_format.add(*rules_verb, true);
  std::string rule_name;
  rules_verb->add_option("rule", rule_name, "only this one")->type_name("NAME");
  rules_verb->callback([&] { status = rules(rule_name, rules_format.format()); });

  ServeRequest service;
  auto* serve_verb = verb("serve", "devices of this computer for programs elsewhere: --device remote:HOST:PORT/NAME");
  serve_verb->footer(kServeHelp);
  serve_verb->add_option("--device", service.devices, "a device string, or NAME=STRING (repeatable)")
      ->required()
      ->type_name("DEVICE");
  serve_verb->add_option("--listen", service.listen, "HOST:PORT (port 0: any free one) or unix:/path of a socket")
      ->default_val("127.0.0.1:50051");
  serve_verb->add_option("--tls-cert", service.tls_cert, "certificate of this server (PEM)")->type_name("FILE");
  serve_verb->add_option("--tls-key", service.tls_key, "its key (PEM)")->type_name("FILE");
  serve_verb->add_option("--tls-ca", service.tls_ca, "clients must show a certificate that this one vouches for (PEM)")
      ->type_name("FILE");
  serve_verb->add_option("--token-file", service.token_file, "clients must know the token in this file")
      ->type_name("FILE");
  serve_verb->add_option("--timeout", service.timeout_s, "seconds of silence after which a client loses its device")
      ->default_val(service.timeout_s);
  auto* most_sessions = serve_verb->add_option(
      "--max-sessions", service.max_sessions, "at most so many connections at a time (default: 32, or 3 for a device)");
  serve_verb->add_flag("--json", service.json, "one JSON object per line");
  serve_verb->callback([&] {
    if (most_sessions->empty())  // a device, its twin, and somebody who asks what there is
      service.max_sessions = std::max(service.max_sessions, 3 * static_cast<int>(service.devices.size()));
    status = serve(service, registry);
  });

  SweepRequest grid;
  auto* sweep_verb = verb("sweep", "measure a device over a grid of its settings, as a TOML file says");
  sweep_verb->footer(kSweepHelp);
  sweep_verb->add_option("file", grid.file, "what to sweep and to measure")->required()->type_name("SWEEP.toml");
  sweep_verb->add_option("-o,--out", grid.out, "netCDF-4 file to write (default: SWEEP.h5)")->type_name("FILE.h5");
  sweep_verb->add_flag("--force", grid.force, "replace a file that holds another sweep");
  sweep_verb->add_flag("--json", grid.json, "print the result as JSON");
  sweep_verb->add_flag("--quiet", grid.quiet, "no progress");
  sweep_verb->callback([&] { status = sweep(grid, registry); });

  CompareRequest grids;
  auto* compare_verb = verb("compare", "train with every rule on every device: one table, one picture");
  compare_verb->footer(kCompareHelp);
  compare_verb->allow_extras();
  compare_verb->add_option("--rules", grids.rules, "learning rules: dfa,tdfa,bp")->required()->type_name("A,B");
  compare_verb->add_option("--devices", grids.devices, "device strings; digital is none")
      ->default_val(grids.devices)
      ->type_name("A,B");
  compare_verb->add_option("--seeds", grids.seeds, "one run each; they draw generated data too")
      ->default_val(grids.seeds)
      ->type_name("1,2,3");
  compare_verb->add_option("--jobs", grids.jobs, "runs at a time; 0: one per processor")->default_val(grids.jobs);
  compare_verb->add_option("--out", grids.out, "folder for runs, table and picture")
      ->default_val(grids.out)
      ->type_name("FOLDER");
  compare_verb->add_flag("--force", grids.force, "do again what an earlier call has done");
  compare_verb->add_flag("--json", grids.json, "print JSON");
  compare_verb->add_flag("--quiet", grids.quiet, "no progress");
  compare_verb->callback([&] {
    grids.train = compare_verb->remaining();
    status = compare(grids);
  });

  ReportRequest asked;
  Assignments report_set;
  auto* report_verb = verb("report", "what a network asks of its analog devices: sensitivity, spec");
  report_verb->require_subcommand(1);
  const auto add_report = [&](const char* name, const char* help, int (*work)(const ReportRequest&, const Registry&)) {
    auto* one = report_verb->add_subcommand(name, help);
    one->footer(kReportHelp);
    one->add_option("--net,--run", asked.run, "run file whose network is deployed")->required()->type_name("RUN.h5");
    one->add_option("--device", asked.device, "device string of its layers")->required()->type_name("DEVICE");
    one->add_option("--set", report_set, "a setting: device.adc.bits=6, layer.cells=offset")->type_name("KEY=VALUE");
    one->add_option("--data,--dataset", asked.data, "data set or file (default: that of the run)");
    one->add_option("--data-dir", asked.data_dir, "where data sets are looked for first");
    one->add_option("--repeats", asked.repeats, "deployments of each kind, with other seeds")->default_val(5);
    one->add_option("--samples", asked.samples, "samples of the data, drawn evenly, always the same ones; 0: all")
        ->default_val(1000);
    add_age(*one, asked.age_s);
    add_threads(*one);
    one->add_flag("--json", asked.json, "print JSON");
    one->add_flag("--quiet", asked.quiet, "no progress");
    one->callback([&, work] {
      assign(asked.settings, report_set);
      status = work(asked, registry);
    });
    return one;
  };
  auto* sensitivity_verb = add_report(
      "sensitivity", "every source of error alone, and all but it: ranked by accuracy lost", report_sensitivity);
  sensitivity_verb->add_option("-o,--out", asked.out, "file for `lightloop plot`")->type_name("FILE.h5");
  sensitivity_verb->add_flag("--force", asked.force, "replace it");
  auto* spec_verb = add_report("spec", "the cheapest components that keep the accuracy", report_spec);
  spec_verb->add_option("--drop", asked.drop, "points of accuracy that may be lost against the digital network")
      ->default_val(0.5);
  spec_verb
      ->add_option("--over", asked.over,
                   "sources of error and costly settings to relax: device.adc.bits,device.power_w")
      ->required()
      ->delimiter(',')
      ->type_name("KEYS");
  spec_verb->add_option("--confidence", asked.confidence, "one-sided, over the devices' randomness")->default_val(0.95);
  spec_verb->add_flag("!--common", asked.per_layer, "the same components in every layer");

  std::string shown;
  FormatOptions show_format;
  auto* show_verb = verb("show", "kind, settings and result of a file");
  show_verb->add_option("file", shown)->required()->type_name("FILE.h5");
  show_format.add(*show_verb);
  show_verb->callback([&] { status = show(shown, show_format.format()); });

  std::vector<std::string> plotted;
  std::string picture;
  FormatOptions plot_format;
  auto* plot_verb = verb("plot", "draw a file by its kind (several runs: one picture)");
  plot_verb->add_option("files", plotted)->required()->type_name("FILE.h5");
  plot_verb->add_option("-o,--out", picture, "picture to write (default: FILE.png)")->type_name("X.png");
  plot_format.add(*plot_verb);
  plot_verb->callback([&] { status = plot(plotted, picture, plot_format.format()); });

  ReproduceRequest paper;
  auto* reproduce_verb = verb("reproduce", "repeat a published result: published | ours | verdict");
  reproduce_verb->add_option("name", paper.name, "paper (without: the list)")->type_name("NAME");
  reproduce_verb->add_flag("--full", paper.full, "the published size and number of seeds");
  reproduce_verb->add_option("--out", paper.out, "folder for runs and plots (default: NAME)")->type_name("FOLDER");
  reproduce_verb->add_flag("--json", paper.json, "print JSON");
  reproduce_verb->callback([&] { status = reproduce(paper); });

  try {
    const std::string first = argc > 1 ? argv[1] : "";
    check_verb_name(app, first == "help" ? "" : first);
    if (first == "help")
      app.parse(argc > 2 ? std::string(argv[2]) + " --help" : "--help");
    else
      app.parse(argc, argv);
  } catch (const CLI::ExtrasError&) {
    std::fprintf(stderr, "lightloop: %s\n", unexpected(app).c_str());
    return kBadInput;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kBadInput;
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    throw FileError("cannot write the answer", std::strerror(errno), "", "Free some space, or write it elsewhere.");
  return status;
}

}  // namespace lightloop::command
