// The sharp bound for kernels that round P to 16 bits before P*V (T2 of `padproof bench
// tolerance`). The generic bound must allow every P_ij to round either way; here the tiling is
// known, so that most of them round one way only, and the radius shrinks to fp32 size. Which tiling
// a kernel has is never asked: a tensor is explained if one of the usual ones explains all of it.
// Derivation: reference/derivations.md.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "reference/attention.h"

namespace padproof::reference {

/// How a kernel walks over the keys of a row, and what its P is relative to.
struct RoundingModel {
  int tile = 0;              // keys a tile of the online softmax; 0: the maximum of all keys first
  int first = 0;             // keys of the first tile, if fewer: tiles that count slots, not keys
  bool reverse = false;      // tiles from last to first
  bool normalised = false;   // tile 0: P is divided by its row sum before it is rounded
  bool sum_rounded = false;  // the row sum adds rounded P
  bool any_order = false;    // of the products in a score, and of all that is added to O

  bool operator==(const RoundingModel&) const = default;
};

/// False for what no model has: keys hidden inside a range, a softcap, sinks, dropout. Ranges that
/// begin anywhere and biases they have.
bool HasModel(const Head& head);

/// "tiles of 64, last first", "all keys, P normalised".
std::string NameOf(const RoundingModel& model);

/// The usual tilings for rows among the first `keys` keys, each once, the first of which is in slot
/// `first_slot`. None for profiles that this cannot judge: P in fp32, splits, a lagging maximum.
std::vector<RoundingModel> RoundingModelsFor(const NumericsProfile& profile, int keys,
                                             int first_slot);

/// O of row i under one model, [dim]. Empty for a row without keys; says nothing of a row that is
/// out of domain.
std::vector<Judged> ForwardByModel(const Head& head, const NumericsProfile& profile, int i,
                                   const RoundingModel& model);

/// What explains O of a whole head best.
struct Explanation {
  RoundingModel model;
  double ratio = 0;     // of its worst element; <= 1 explains
  bool judged = false;  // there is a model, and a row in domain
};

/// `out` holds the stored bits of O, [len_q][dim].
Explanation ExplainForward(const Head& head, const NumericsProfile& profile,
                           const std::vector<uint32_t>& out, int first_slot);

}  // namespace padproof::reference
