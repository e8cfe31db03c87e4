// The pages of a problem's K and V: where each lies in the pool, and what the block table says.

#include <algorithm>
#include <climits>
#include <numeric>

#include "harness/base/random.h"
#include "harness/case/recipe.h"
#include "harness/judge/problem.h"

namespace padproof {

/// A shuffle of its own for each seed. As drawn it is never the order of sequences where there is
/// another one: a kernel that reads no table would be right there.
void Problem::OrderPages(uint64_t salt) {
  pages_.resize(static_cast<size_t>(case_.batch() * case_.pages()));
  std::iota(pages_.begin(), pages_.end(), 0);
  Random random(HashOf({hash_salt::kPages, case_.seed, salt}));
  for (size_t n = pages_.size(); n > 1; --n) {
    std::swap(pages_[n - 1], pages_[random.Below(static_cast<uint32_t>(n))]);
  }
  if (salt == 0 && pages_.size() > 1 && std::is_sorted(pages_.begin(), pages_.end())) {
    std::rotate(pages_.begin(), pages_.begin() + 1, pages_.end());
  }
}

/// Caches leave in the entries beyond a sequence whatever was there before. Here that is no page of
/// the pool: whoever follows it falls.
void Problem::BuildBlockTable() {
  std::vector<int32_t> table = pages_;
  for (int b = 0; b < case_.batch(); ++b) {
    for (int page = 0; page < case_.pages(); ++page) {
      const bool used = page * case_.page_size < case_.lens_k[static_cast<size_t>(b)];
      if (!used) table[static_cast<size_t>(b * case_.pages() + page)] = INT32_MAX;
    }
  }
  StoreArray(kBlockTable, table);
}

bool Problem::IsRealInPage(int page, int slot) const {
  const auto at = std::find(pages_.begin(), pages_.end(), page);
  if (at == pages_.end()) return false;
  const int n = static_cast<int>(at - pages_.begin());
  return IsReal(Operand::k, n / case_.pages(), n % case_.pages() * case_.page_size + slot);
}

void Problem::MovePages(uint64_t salt) {
  PADPROOF_CHECK(case_.paged());
  const Problem before = *this;
  OrderPages(salt);
  BuildBlockTable();
  for (Operand op : {Operand::k, Operand::v}) {
    for (int b = 0; b < case_.batch(); ++b) {
      for (int h = 0; h < Heads(op); ++h) {
        for (int slot = 0; slot < Slots(op, b); ++slot) {
          for (int d = 0; d < Columns(op); ++d) {
            SetBits(op, b, h, slot, d, before.Bits(op, b, h, slot, d));
          }
        }
      }
    }
  }
}

}  // namespace padproof
