#include "training/datasets/download.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/hash.hpp"
#include "core/param.hpp"
#include "training/datasets/fetch.hpp"

namespace lightloop {
namespace {
namespace fs = std::filesystem;

/// Removes the temporary, and folders we made if they stay empty.
struct Cleanup {
  std::string temporary;
  fs::path folder;
  ~Cleanup() {
    ::unlink(temporary.c_str());
    ::rmdir(folder.c_str());  // fails, as it should, when anything is in it
  }
};

std::vector<std::string> addresses(const KnownDataset& set, const KnownDataset::File& file,
                                   const DownloadOptions& options) {
  std::string base = options.base_url;
  if (const char* mirror = std::getenv("LIGHTLOOP_MIRROR"); base.empty() && mirror) base = mirror;
  if (!base.empty()) return {base + (base.ends_with('/') ? "" : "/") + set.name + "/" + file.name};
  return file.mirror.empty() ? std::vector{file.url} : std::vector{file.url, file.mirror};
}

void download_file(const KnownDataset& set, const KnownDataset::File& file, const std::string& folder,
                   const DownloadOptions& options) {
  const auto path = (fs::path(folder) / file.name).string();
  if (fs::is_regular_file(path) && sha256_file(path) == file.sha256) return;
  remove_stale_temporaries(path);
  const Cleanup cleanup{temporary_name(path), folder};
  const auto report = [&](std::int64_t done) {
    return !options.on_progress || options.on_progress(file.name, done, file.bytes);
  };
  std::string faults;
  for (const auto& url : addresses(set, file, options)) {
    auto fault = fetch(url, cleanup.temporary, file.bytes, report);
    if (fault.empty()) {
      const auto found = sha256_file(cleanup.temporary);
      if (found == file.sha256) return publish_file(cleanup.temporary, path);
      fault = "SHA-256 is " + found + ", not " + file.sha256;
    }
    faults += (faults.empty() ? "" : "; ") + url + ": " + fault;
  }
  throw FileError("cannot download " + file.name, faults, "",
                  "Try again, or put the file into " + folder + " by hand.");
}
}  // namespace

bool can_download() { return can_fetch(); }

void download_files(const KnownDataset& set, const std::string& folder, const DownloadOptions& options) {
  if (!can_download())
    throw Unsupported("download of " + set.name, "this build has no libcurl", "",
                      "Put its files into " + folder + " by hand, or install libcurl4-openssl-dev and build again.");
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    throw FileError("cannot make the folder " + folder, error.message(), "", "Choose another with --data-dir.");
  for (const auto& file : set.files) download_file(set, file, folder, options);
}

std::string download_dataset(const std::string& name, const std::string& data_dir, const DownloadOptions& options) {
  std::vector<std::string> names;
  for (const auto& set : known_datasets()) {
    if (set.name != name) {
      names.push_back(set.name);
      continue;
    }
    const auto folders = data_folders(data_dir);
    if (folders.empty())
      throw FileError("no folder for data", "neither $LIGHTLOOP_DATA nor $HOME is set", "",
                      "Name one with --data-dir.");
    const auto folder = (fs::path(folders.front()) / name).string();
    if (!set.by_hand.empty())
      throw Unsupported("download of " + name, "the program does not fetch or convert its files", "", set.by_hand);
    if (!set.files.empty()) download_files(set, folder, options);
    return folder;
  }
  const auto near = nearest(name, names);
  std::string known;
  for (const auto& one : names) known += (known.empty() ? "known: " : ", ") + one;
  throw UnknownName("data set", "\"" + name + "\"", known, near ? "Did you mean \"" + *near + "\"?" : "");
}

}  // namespace lightloop
