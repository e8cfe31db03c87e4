#include "harness/drivers/random_cases.h"

#include <rapidcheck.h>

#include "harness/case/simplify.h"

namespace padproof {
namespace {

rc::Shrinkable<Case> Tree(Case c) {
  return rc::shrinkable::shrinkRecur(
      std::move(c), [](const Case& value) { return rc::seq::fromContainer(Simplify(value)); });
}

rc::Gen<Case> CasesOf(const Domain& domain) {
  return [domain](const rc::Random& source, int size) {
    rc::Random random = source;
    padproof::Random ours(random.next());
    return Tree(Generate(domain, ours, size));
  };
}

}  // namespace

Case DrawCase(const Domain& domain, uint64_t seed, int index, int size) {
  const rc::Random source(HashOf({seed, static_cast<uint64_t>(index)}));
  return CasesOf(domain)(source, size).value();
}

Case WalkDown(const Case& c, const std::function<Keep(const Case&)>& keep) {
  rc::Shrinkable<Case> root = Tree(c);
  for (;;) {
    auto candidates = root.shrinks();
    bool moved = false;
    while (auto candidate = candidates.next()) {
      const Keep verdict = keep(candidate->value());
      if (verdict == Keep::stop) return root.value();
      if (verdict == Keep::no) continue;
      root = *candidate;
      moved = true;
      break;
    }
    if (!moved) return root.value();
  }
}

}  // namespace padproof
