#pragma once
// What the network of a run file is scored on, and by.
#include <memory>
#include <string>

#include "training/datasets/dataset.hpp"
#include "training/rules/rule.hpp"
#include "training/run_file.hpp"

namespace lightloop::command {

/// Every sample of a CSV file, the test part of an HDF5 file that has one, the test set of a known name or a text, in
/// windows of the run's where it learned one and the name says none; empty names: those of the run.
Dataset samples_of(const RunFile& run, const std::string& data, const std::string& data_dir);
/// The rule of the run where it answers in its own way, its passes in memory or on devices, with or without physics in
/// front of its layers; else null. Throws as answering_rule().
std::unique_ptr<Rule> rule_of(const RunFile& run, LayerProducts* layers, PhysicalMap map = {});

}  // namespace lightloop::command
