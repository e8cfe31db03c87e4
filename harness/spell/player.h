// A kernel row that records the calls of a law, and later plays back what they left.

#pragma once

#include <functional>
#include <vector>

#include "harness/judge/kernel.h"
#include "harness/judge/property.h"
#include "harness/spell/recorded_call.h"

namespace padproof {

/// One at a time: a row's functions carry no state, so the player is found through a global.
class Player {
 public:
  Player(const Property& law, const KernelRow& kernel, const Case& c);
  ~Player();
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;

  /// Judges the case. Calls that are recorded are played, further ones are made and recorded.
  Verdict Ask();

  const KernelRow& kernel() const { return kernel_; }
  std::vector<RecordedCall>& calls() { return calls_; }
  int64_t asked() const { return asked_; }
  bool knows_all_fields() const { return knows_all_fields_; }

  /// Called before a call is made.
  std::function<void(const RecordedCall&)> before_call;

 private:
  static Status Forward(const AttentionArgs& args);
  static Status Backward(const AttentionArgs& args);
  Status CallNext(const AttentionArgs& args, bool backward);

  const Property& law_;
  const KernelRow& kernel_;
  const Case& case_;
  KernelRow row_;
  std::vector<RecordedCall> calls_;
  size_t next_ = 0;
  int64_t asked_ = 0;
  bool knows_all_fields_ = true;
};

}  // namespace padproof
