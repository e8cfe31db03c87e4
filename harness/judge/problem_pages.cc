// The pages of a problem's K and V: where each lies in the pool, and what the block table says.

#include <algorithm>
#include <climits>
#include <cstring>
#include <numeric>

#include "harness/base/random.h"
#include "harness/case/recipe.h"
#include "harness/judge/problem.h"

namespace padproof {
namespace {

/// Pages of the pool that no sequence has: a cache is larger than what is in it.
int SparePagesOf(const Case& c) {
  static constexpr int kSpare[] = {1, 0, 0, 3};
  return c.paged() ? kSpare[HashOf({hash_salt::kPages, c.seed, 7}) >> 62] : 0;
}

}  // namespace

/// A shuffle of its own for each seed. As drawn it is never the order of sequences where there is
/// another one: a kernel that reads no table would be right there.
void Problem::OrderPages(uint64_t salt) {
  Random random(HashOf({hash_salt::kPages, case_.seed, salt}));
  const int pages = case_.batch() * case_.pages();
  pages_.resize(static_cast<size_t>(pages + SparePagesOf(case_)));
  std::iota(pages_.begin(), pages_.end(), 0);
  for (size_t n = pages_.size(); n > 1; --n) {
    std::swap(pages_[n - 1], pages_[random.Below(static_cast<uint32_t>(n))]);
  }
  spare_pages_.assign(pages_.begin() + pages, pages_.end());
  pages_.resize(static_cast<size_t>(pages));
  if (salt == 0 && pages_.size() > 1 && std::is_sorted(pages_.begin(), pages_.end())) {
    std::rotate(pages_.begin(), pages_.begin() + 1, pages_.end());
  }
}

void Problem::ForEachSpareRow(Operand op,
                              const std::function<void(int page, int h, int slot)>& visit) const {
  if (!InPages(op)) return;
  for (int page : spare_pages_) {
    for (int h = 0; h < Heads(op); ++h) {
      for (int slot = 0; slot < case_.page_size; ++slot) visit(page, h, slot);
    }
  }
}

void Problem::FillSparePages(Operand op, Fill fill) {
  constexpr int kSpareSlot = 1 << 18;  // pads by number: beyond those of sequences
  const size_t size = SizeOf(DtypeOf(op));
  ForEachSpareRow(op, [&](int page, int h, int slot) {
    const PadRow row(case_, fill, op, 0, h, kSpareSlot + page * case_.page_size + slot);
    for (int d = 0; d < Columns(op); ++d) {
      const uint32_t bits = row[d];
      std::memcpy(Data(op) + OffsetIn(op, page, h, slot, d), &bits, size);
    }
  });
}

/// Caches leave in the entries beyond a sequence whatever was there before. Here that is no page of
/// the pool: whoever follows it falls.
void Problem::BuildBlockTable() {
  std::vector<int32_t> table = pages_;
  for (int b = 0; b < case_.batch(); ++b) {
    for (int page = 0; page < case_.pages(); ++page) {
      const bool used = page * case_.page_size < case_.lens_k[static_cast<size_t>(b)];
      const int at = b * case_.pages() + page;
      if (!used) table[static_cast<size_t>(at)] = INT32_MAX;
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
    FillSparePages(op, case_.fill);
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
