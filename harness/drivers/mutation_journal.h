// What became of edits, one JSON line each, written as soon as it is known: a run that was broken
// off goes on where it was.

#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "harness/drivers/mutation.h"

namespace padproof {

/// One JSON object on one line.
std::string ToLine(const Mutation& mutation, const std::string& key);

/// Everything that decides what becomes of an edit, besides the edit: the sources, the laws and
/// their budget, and this program.
std::string KeyOf(const MutationPlan& plan);

class MutationJournal {
 public:
  /// Reads what `path` says under `key`; lines of other keys, and torn ones, are nothing to it.
  MutationJournal(std::string path, std::string key);

  /// Fills in all but the edit. False: never tried.
  bool Find(Mutation& mutation) const;
  void Add(const Mutation& mutation);

  size_t size() const { return known_.size(); }

 private:
  std::string path_, key_;
  std::map<std::string, Mutation> known_;  // by id
};

}  // namespace padproof
