#include "harness/spell/player.h"

#include "harness/base/check.h"

namespace padproof {
namespace {

Player* the_player = nullptr;

}  // namespace

Player::Player(const Property& law, const KernelRow& kernel, const Case& c)
    : law_(law), kernel_(kernel), case_(c), row_(kernel) {
  PADPROOF_CHECK(the_player == nullptr && kernel.device == nullptr);
  if (kernel.forward != nullptr) row_.forward = Forward;
  if (kernel.backward != nullptr) row_.backward = Backward;
  the_player = this;
}

Player::~Player() { the_player = nullptr; }

Verdict Player::Ask() {
  ++asked_;
  next_ = 0;
  return Judge(law_, row_, case_);
}

Status Player::Forward(const AttentionArgs& args) { return the_player->CallNext(args, false); }
Status Player::Backward(const AttentionArgs& args) { return the_player->CallNext(args, true); }

Status Player::CallNext(const AttentionArgs& args, bool backward) {
  if (next_ < calls_.size()) {
    const RecordedCall& call = calls_[next_++];
    PADPROOF_CHECK(call.backward == backward);
    Play(call, args);
    return call.status;
  }
  knows_all_fields_ = knows_all_fields_ && AreAllFieldsKnown(args);
  const size_t workspace =
      kernel_.workspace_bytes != nullptr ? kernel_.workspace_bytes(args) : size_t{0};
  RecordedCall call = RecordBefore(args, backward, workspace);
  if (before_call) before_call(call);
  call.status = backward ? kernel_.backward(args) : kernel_.forward(args);
  RecordAfter(args, call);
  calls_.push_back(std::move(call));
  ++next_;
  return calls_.back().status;
}

}  // namespace padproof
