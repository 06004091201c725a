// `lightloop data`: what is known, where it is, how to get it.
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "core/error.hpp"
#include "tools/lightloop/command.hpp"
#include "tools/lightloop/interrupt.hpp"
#include "tools/lightloop/json.hpp"
#include "tools/lightloop/text.hpp"
#include "training/datasets/download.hpp"
#include "training/layers/graph.hpp"

namespace lightloop::command {
namespace {
std::string shape_text(const std::vector<Index>& shape) {
  std::vector<std::string> words;
  for (const Index size : shape) words.push_back(std::to_string(size));
  return join(words, " x ");
}

/// "drawn from seed 1", or "from FILE".
std::string origin(const Dataset& set) { return set.source.starts_with("drawn ") ? set.source : "from " + set.source; }
}  // namespace

int data_list(Format format, const std::string& data_dir) {
  if (format == Format::json) {
    std::fputs(datasets_json(known_datasets()).c_str(), stdout);
    return kDone;
  }
  std::vector<std::vector<std::string>> rows = {{"name", "what it is", "licence", "from"}};
  for (const auto& set : known_datasets()) {
    std::int64_t bytes = 0;
    for (const auto& file : set.files) bytes += file.bytes;
    rows.push_back({set.name, set.summary, set.licence,
                    !set.by_hand.empty() ? "by hand"
                    : set.files.empty()  ? "made by the program"
                                         : grouped(bytes / 1000) + " kB to download"});
  }
  std::fputs(table(rows).c_str(), stdout);
  const auto folders = data_folders(data_dir);
  std::printf("\nLooked for in %s (--data-dir, $LIGHTLOOP_DATA, ~/.cache/lightloop).\n",
              folders.empty() ? "no folder, because none of these is set" : join(folders, ", ").c_str());
  std::puts("Get one with: lightloop data download NAME");
  return kDone;
}

int data_show(const std::string& name, Format format, const std::string& data_dir) {
  const TrainTest data = load_dataset(name, data_dir, 1);
  if (format == Format::json) {
    std::fputs(dataset_json(name, data).c_str(), stdout);
    return kDone;
  }
  for (const auto& [part, set] :
       {std::pair<const char*, const Dataset&>{"train", data.train}, {"valid", data.validation}, {"test", data.test}}) {
    if (set.size() == 0) continue;
    if (set.graph)
      std::printf("%-6s %s of %s nodes of %s, %s edges, %td classes, %s\n", part, grouped(set.counted()).c_str(),
                  grouped(set.size()).c_str(), shape_text(set.sample_shape).c_str(),
                  grouped(set.graph->edges() / 2).c_str(), set.classes, origin(set).c_str());
    else
      std::printf("%-6s %s samples of %s, %td %s, %s\n", part, grouped(set.size()).c_str(),
                  shape_text(set.sample_shape).c_str(), set.classes, set.values.size() > 0 ? "real targets" : "classes",
                  origin(set).c_str());
    std::string counts;
    for (const Index samples : set.per_class()) counts += " " + std::to_string(samples);
    if (!counts.empty()) std::printf("       of class 0 to %td:%s\n", set.classes - 1, counts.c_str());
  }
  if (const Yardstick& known = data.test.yardstick; !known.what.empty())
    std::printf("%s: %.4f\n", known.what.c_str(), known.value);
  return kDone;
}

int data_download(const std::string& name, Format format, const std::string& data_dir) {
  const auto& known = known_datasets();
  const auto set = std::find_if(known.begin(), known.end(), [&](const KnownDataset& one) { return one.name == name; });
  if (set != known.end() && set->files.empty() && set->by_hand.empty()) {
    if (format == Format::json)
      std::fputs(settings_json({{"name", name}, {"folder", ""}}).c_str(), stdout);
    else
      std::printf("%s is made by the program: there is nothing to download\n", name.c_str());
    return kDone;
  }
  const Interrupt interrupt;
  const bool terminal = isatty(STDERR_FILENO) != 0;
  DownloadOptions options;
  options.on_progress = [&](const std::string& file, std::int64_t done, std::int64_t total) {
    if (terminal)
      std::fprintf(stderr, "\r\033[K%s  %s of %s kB", file.c_str(), grouped(done / 1000).c_str(),
                   grouped(total / 1000).c_str());
    return !interrupt.requested();
  };
  try {
    const std::string folder = download_dataset(name, data_dir, options);
    if (terminal) std::fputs("\r\033[K", stderr);
    if (format == Format::json)
      std::fputs(settings_json({{"name", name}, {"folder", folder}}).c_str(), stdout);
    else
      std::printf("%s is in %s\n", name.c_str(), folder.c_str());
    return kDone;
  } catch (...) {
    if (terminal) std::fputs("\r\033[K", stderr);
    if (!interrupt.requested()) throw;
    std::fputs("lightloop: stopped; files that were complete are kept.\n", stderr);
    return kInterrupted;
  }
}

}  // namespace lightloop::command
