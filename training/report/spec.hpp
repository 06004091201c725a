#pragma once
// The cheapest components with which a network still works: how coarse, noisy and weak may they be?
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "training/report/trial.hpp"

namespace lightloop {

struct SpecOptions {
  double drop = 0.005;                 ///< accuracy that may be lost, as a fraction, against the digital network
  double confidence = 0.95;            ///< one-sided, over the devices' randomness (Student's law of the repeats)
  std::vector<std::string> over = {};  ///< parameters to relax: sources of error and settings that cost something
  bool per_layer = true;               ///< let every layer go on alone from the common solution
};

/// A parameter that was relaxed.
struct SpecAxis {
  std::string name, unit;
  Value asked, best;               ///< as configured; with the source taken away, or the dearest that was tried
  Value alone;                     ///< the worst that is good enough while the others are at their best
  Value value;                     ///< the worst together with the others; the best of the layers where they differ
  std::vector<Value> layers = {};  ///< per layer, where they differ; empty otherwise
  bool priced = false;             ///< worse parts take less energy, frame by frame
  bool timed = false;              ///< or, where energy does not depend on them, answer sooner
  bool at_end = false;             ///< `value` is as bad as the device can be
};

struct Spec {
  std::string device;
  std::vector<SpecAxis> axes;
  double digital_accuracy = 0, drop = 0, confidence = 0;
  Spread accuracy_asked, accuracy_best, accuracy;  ///< as configured; all axes at their best; of the solution
  double lost_bound = 0;  ///< the accuracy lost is below this with the stated confidence, on fresh seeds
  bool reached = false;   ///< lost_bound <= drop
  Index repeats_needed =
      0;  ///< where it is not: with so many it would be, by the spread that was met; 0: not so either
  double asked_j = 0, common_j = 0, sample_j = 0;  ///< energy of a sample: as configured, common solution, solution
  std::vector<LayerReport> layers;                 ///< of one deployment of the solution
  Index deployments = 0, tightened = 0;  ///< networks deployed; solutions given up because fresh seeds disagreed
  Index repeats = 0, samples = 0;
  double age_s = 0;  ///< of the devices when they are scored (TrialOptions)
};

/// Relaxes the parameters as far as the accuracy allows, by bisection along a grid of each (whole numbers; reals in
/// steps of a fifth of an octave or of 48 to the range; levels of a converter, NAME.levels beside NAME.bits, one
/// per code, then odd numbers from most_levels() down to 3 in such steps; what is asked for), taking for granted that
/// worse parameters do not make the network better. A real setting that is no source of error (a power, a bandwidth, a
/// rate) is relaxed to where it is cheaper: where a frame takes less energy, as the devices declare it, or where the
/// answer comes sooner if energy does not depend on it (spec_grid.hpp). Its dear end is its best, unless the network
/// fails there and works as asked: then it begins as asked.
///   1. each alone, the others at their best: how far it can go at all;
///   2. all layers alike, from what is asked for: those with a price in joules the same part of these ways, then each
///      alone, the one first that saves most energy, back where that is cheaper; or each alone at once. Where what is
///      asked for is not good enough, all start at their best and go the same part together;
///   3. each priced one in each layer alone, the layer first that takes most energy;
///   4. those without a price, as far as rows shown again add no more than 1 % and no more than 2. takes.
/// A point is good enough when the mean loss of the repeats + t * standard error <= drop, and clipping does not make
/// the layers show more than 5 % of frames again. The solution is measured again on fresh seeds; where it fails,
/// the common solution, what is asked for, the best, and the points half-way between follow, those left out that cost
/// more than the next. All these tries together err with 1 - confidence at most: each has its part of that, and so many
/// fresh deployments (the same number for all, at least twice the repeats) that its bound is as narrow as one try's of
/// twice the repeats. So the solution is never dearer than what is asked for, if that holds, nor than the common one.
/// Energies are means over the same repeats. Throws UnknownName for a parameter that there is not, InvalidParameter for
/// one that is named twice or beside its levels, bits in whose place a layer has levels, or a setting that costs
/// nothing or is not above 0, Unsupported for a word, a switch or a whole number that is no source of error, and where
/// even the best is not good enough (it says whether more repeats could tell), OutOfRange for a drop or confidence that
/// makes no sense, Cancelled when `progress` says false.
Spec find_spec(const Trial& trial, const std::string& device, const SpecOptions& options,
               const std::function<bool(const std::string&)>& progress = {});

}  // namespace lightloop
