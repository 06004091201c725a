#pragma once
// Fetches published data sets, checked by SHA-256.
#include <cstdint>
#include <functional>
#include <string>

#include "training/datasets/dataset.hpp"

namespace lightloop {

struct DownloadOptions {
  /// Where to fetch from instead of the published address: BASE/NAME/FILE. Empty: $LIGHTLOOP_MIRROR when that is set.
  std::string base_url = {};
  /// Called now and then; returning false gives up.
  std::function<bool(const std::string& file, std::int64_t done, std::int64_t total)> on_progress = {};
};

/// False in a build without libcurl.
bool can_download();

/// Fetches the files of `set` into `folder`; those there already with the right SHA-256 are kept.
///
/// Every file is written under a temporary name and takes its own only when its SHA-256 is right, so a failure leaves
/// no part of it behind. Throws FileError naming every address tried and the reason, Unsupported without libcurl.
void download_files(const KnownDataset& set, const std::string& folder, const DownloadOptions& options = {});

/// The same for a known data set, into NAME below the first of data_folders(data_dir). Returns that folder. Throws
/// UnknownName too.
std::string download_dataset(const std::string& name, const std::string& data_dir, const DownloadOptions& options = {});

}  // namespace lightloop
