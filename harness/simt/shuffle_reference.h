// For tests: which lane a shuffle reads from, as the PTX ISA defines it; shares nothing with
// collectives.h.

#pragma once

namespace padproof {

enum class Shuffle { idx, up, down, bfly };
inline constexpr Shuffle kShuffles[] = {Shuffle::idx, Shuffle::up, Shuffle::down, Shuffle::bfly};

/// PTX ISA, shfl.sync: the lane that `lane` reads from.
inline int SourceByPtx(Shuffle kind, int lane, int b, int width) {
  const int segment_mask = 32 - width;
  const int clamp = kind == Shuffle::up ? 0 : 31;
  b &= 31;
  const int max_lane = (lane & segment_mask) | (clamp & ~segment_mask);
  const int min_lane = lane & segment_mask;
  int j = 0;
  bool valid = false;
  switch (kind) {
    case Shuffle::up:
      j = lane - b, valid = j >= max_lane;
      break;
    case Shuffle::down:
      j = lane + b, valid = j <= max_lane;
      break;
    case Shuffle::bfly:
      j = lane ^ b, valid = j <= max_lane;
      break;
    case Shuffle::idx:
      j = min_lane | (b & ~segment_mask), valid = j <= max_lane;
      break;
  }
  return valid ? j : lane;
}

}  // namespace padproof
