// bad_input_refused
//
//   one argument of a right call made wrong  =>  the entry point refuses the call and writes
//   nothing
//
// Preconditions: the row promises it (`BadInput::refused`). Each run spoils one argument after
// another: sizes, names of enumerations, null pointers, shapes of each tensor, lengths, offsets and
// pages that leave their buffer.
//
// What is not refused is read, and a length beyond its slots is a read of somebody else's memory.
//
// Of lengths, offsets and pages that were edited at will some are still right: then the sequences
// that were left alone give what they gave before, bit for bit.

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstring>
#include <functional>
#include <utility>

#include "harness/device/device_call.h"
#include "harness/judge/metadata.h"
#include "harness/judge/property.h"
#include "properties/support/launch.h"
#include "properties/support/run.h"

namespace padproof {
namespace {

const char* Inapplicable(const KernelTraits& traits, bool, bool) {
  const bool promised = traits.promises.bad_input == BadInput::refused;
  return promised ? nullptr : "does not promise to refuse wrong arguments";
}

void Prepare(Case& c, const KernelTraits& traits, Random& random) {
  c = WithAllowedFill(traits, c);
  for (auto* lens : {&c.lens_q, &c.lens_k}) {
    int& len = (*lens)[random.Below(static_cast<uint32_t>(lens->size()))];
    if (len == 0) len = random.Between(1, 3);
  }
}

/// A call and how to spoil it; the arguments point into `problem`, whose lengths may be changed.
struct Damage {
  std::string what;  // "heads_kv = 0"
  std::function<void(AttentionArgs& args)> spoil;
};

Damage DamageOf(std::string what, const MetadataEdits& edits) {
  return {std::move(what), [edits](AttentionArgs& args) {
            for (const MetadataEdit& edit : edits) Apply(edit, args);
          }};
}

/// What is wrong by itself, whatever the case; of features those that the row has.
void AddNumbers(const KernelTraits& traits, const AttentionArgs& args,
                std::vector<Damage>& damages) {
  const auto add = [&](const char* what, auto spoil) { damages.push_back({what, spoil}); };
  add("struct_size is smaller", [](AttentionArgs& a) { a.struct_size -= 8; });
  add("dtype = 7", [](AttentionArgs& a) { a.dtype = static_cast<Dtype>(7); });
  add("mask = 9", [](AttentionArgs& a) { a.mask = static_cast<Mask>(9); });
  add("mask_form = 9", [](AttentionArgs& a) { a.mask_form = static_cast<MaskForm>(9); });
  add("batch = -1", [](AttentionArgs& a) { a.batch = -1; });
  add("heads = -1", [](AttentionArgs& a) { a.heads = -1; });
  add("heads_kv = 0", [](AttentionArgs& a) { a.heads_kv = 0; });
  add("heads_kv = heads + 1", [](AttentionArgs& a) { a.heads_kv = a.heads + 1; });
  add("seqlen_q = -1", [](AttentionArgs& a) { a.seqlen_q = -1; });
  add("seqlen_k = -1", [](AttentionArgs& a) { a.seqlen_k = -1; });
  add("dim = 0", [](AttentionArgs& a) { a.dim = 0; });
  add("dim_v = 0", [](AttentionArgs& a) { a.dim_v = 0; });
  add("dim is larger than that of q", [](AttentionArgs& a) { a.dim += 1; });
  if (traits.features.Has(Feature::softcap)) {
    add("softcap = -1", [](AttentionArgs& a) { a.softcap = -1; });
    add("softcap = nan", [](AttentionArgs& a) { a.softcap = NAN; });
  }
  if (traits.features.Has(Feature::dropout)) {
    add("dropout_p = 1", [](AttentionArgs& a) { a.dropout_p = 1; });
    add("dropout_p = nan", [](AttentionArgs& a) { a.dropout_p = NAN; });
  }
  if (traits.features.Has(Feature::splits)) {
    add("num_splits = -1", [](AttentionArgs& a) { a.num_splits = -1; });
  }
  if (IsWindow(args.mask)) {
    add("window_left = -2", [](AttentionArgs& a) { a.window_left = -2; });
    add("window_right = -2", [](AttentionArgs& a) { a.window_right = -2; });
  }
}

/// Every tensor of the call: null, and one size too large or too small.
void AddTensors(const AttentionArgs& args, bool backward, std::vector<Damage>& damages) {
  using Member = Tensor AttentionArgs::*;
  std::vector<std::pair<const char*, Member>> tensors{{"q", &AttentionArgs::q},
                                                      {"k", &AttentionArgs::k},
                                                      {"v", &AttentionArgs::v},
                                                      {"o", &AttentionArgs::o},
                                                      {"lse", &AttentionArgs::lse}};
  if (args.mask_form != MaskForm::lengths) {
    tensors.push_back({"attn_mask", &AttentionArgs::attn_mask});
  } else {
    damages.push_back({"mask_form = boolean without attn_mask",
                       [](AttentionArgs& a) { a.mask_form = MaskForm::boolean; }});
  }
  if (args.attn_bias.data != nullptr) tensors.push_back({"attn_bias", &AttentionArgs::attn_bias});
  if (backward) {
    tensors.insert(tensors.end(), {{"d_o", &AttentionArgs::d_o},
                                   {"dq", &AttentionArgs::dq},
                                   {"dk", &AttentionArgs::dk},
                                   {"dv", &AttentionArgs::dv}});
    if (args.dbias.data != nullptr) tensors.push_back({"dbias", &AttentionArgs::dbias});
  }
  const bool packed = args.cu_seqlens_q != nullptr, paged = args.block_table != nullptr;
  for (const auto& named : tensors) {
    const char* name = named.first;
    const Member tensor = named.second;
    const Tensor& t = args.*tensor;
    const bool of_keys = tensor == &AttentionArgs::k || tensor == &AttentionArgs::v;
    if (t.size[0] * t.size[1] * t.size[2] * t.size[3] == 0) continue;
    const bool optional = tensor == &AttentionArgs::attn_bias || tensor == &AttentionArgs::dbias;
    if (!optional) {
      damages.push_back({std::string(name) + " is null",
                         [tensor](AttentionArgs& a) { (a.*tensor).data = nullptr; }});
    }
    for (int n = 0; n < 4; ++n) {
      // A pool may have more pages than are named, and a packed buffer any number of slots.
      if (paged && of_keys && n == 0) continue;
      if (packed && n == 2 && (tensor == &AttentionArgs::q || tensor == &AttentionArgs::k))
        continue;
      damages.push_back({std::string(name) + " has one more in dimension " + std::to_string(n),
                         [tensor, n](AttentionArgs& a) { ++(a.*tensor).size[n]; }});
    }
  }
}

void AddWorkspace(const KernelRow& kernel, const AttentionArgs& args,
                  std::vector<Damage>& damages) {
  if (kernel.workspace_bytes == nullptr || kernel.workspace_bytes(args) == 0) return;
  damages.push_back({"workspace is null", [](AttentionArgs& a) { a.workspace = nullptr; }});
}

/// Lengths, offsets and pages, of one sequence.
void AddLengths(const AttentionArgs& args, int b, std::vector<Damage>& damages) {
  const bool packed = args.cu_seqlens_q != nullptr;
  const auto set = [&](const std::string& what, Metadata array, int at, int32_t value) {
    damages.push_back(DamageOf(what, {{array, at, value}}));
  };
  const auto null = [&](Metadata array) {
    damages.push_back({std::string(NameOf(array)) + " is null",
                       [=](AttentionArgs& a) { ArrayOf(a, array) = nullptr; }});
  };
  const auto beyond = [&](Metadata array, int seqlen) {
    const std::string name(NameOf(array)), at = name + "[" + std::to_string(b) + "]";
    null(array);
    set(at + " = -1", array, b, -1);
    set(at + " is beyond its slots", array, b, seqlen + 1);
    set(at + " = INT_MAX", array, b, INT_MAX);
  };
  const auto side = [&](Metadata used, Metadata left, Metadata offsets, int seqlen) {
    beyond(used, seqlen);
    if (!packed) return beyond(left, seqlen);
    const std::string name(NameOf(offsets)), at = name + "[" + std::to_string(b) + "]";
    AttentionArgs call = args;
    set(at + " = -1", offsets, b, -1);
    set(name + " ends behind the buffer", offsets, args.batch, INT_MAX);
    set(at + " decreases", offsets, b, ArrayOf(call, offsets)[b + 1] + 1);
  };
  side(Metadata::seqused_q, Metadata::leftpad_q, Metadata::cu_seqlens_q, args.seqlen_q);
  side(Metadata::seqused_k, Metadata::leftpad_k, Metadata::cu_seqlens_k, args.seqlen_k);
  if (args.block_table == nullptr || args.seqused_k[b] == 0) return;
  null(Metadata::block_table);
  damages.push_back({"page_size = 0", [](AttentionArgs& a) { a.page_size = 0; }});
  damages.push_back({"max_pages = 0", [](AttentionArgs& a) { a.max_pages = 0; }});
  const auto pages = static_cast<int32_t>(args.k.size[0]);
  const int first = b * args.max_pages;
  set("a page in use is -1", Metadata::block_table, first, -1);
  set("a page in use is behind the pool", Metadata::block_table, first, pages);
}

/// The call with one thing wrong, on a problem of its own.
std::optional<Failure> JudgeDamage(const KernelRow& kernel, const Problem& right,
                                   const Damage& damage, bool backward) {
  Problem problem = right;
  AttentionArgs args = problem.Args(backward);
  if (kernel.workspace_bytes != nullptr) {
    args.workspace = problem.PrepareWorkspace(kernel.workspace_bytes(args));
  }
  damage.spoil(args);
  const Called called = Call(kernel, problem, args, backward);
  const auto wrong = [&](std::string got) {
    return Failure{.kind = kind::kLaunch,
                   .region = "refusal",
                   .where = damage.what,
                   .expected = "refused, and nothing written",
                   .got = std::move(got)};
  };
  if (called.code == StatusCode::ok) return wrong("accepted");
  if (called.code == StatusCode::failed) return wrong("failed: " + called.reason);
  for (Operand op : {Operand::o, Operand::lse, Operand::dq, Operand::dk, Operand::dv}) {
    if (right.Bytes(op) != problem.Bytes(op)) return wrong(NameOf(op) + std::string(" written"));
  }
  return std::nullopt;
}

bool RunsBackward(const KernelRow& kernel, const Case& c) {
  return kernel.forward == nullptr || (c.backward && kernel.backward != nullptr);
}

Verdict Check(const KernelRow& kernel, const Case& original) {
  const Case c = WithAllowedFill(kernel.traits, original);
  const bool backward = RunsBackward(kernel, c);
  Problem right(c);
  const AttentionArgs args = right.Args(backward);
  std::vector<Damage> damages;
  AddNumbers(kernel.traits, args, damages);
  AddTensors(args, backward, damages);
  AddWorkspace(kernel, args, damages);
  AddLengths(args, static_cast<int>(HashOf({c.seed}) % static_cast<uint64_t>(c.batch())), damages);
  FirstFailure failures;
  for (const Damage& damage : damages) {
    auto failure = JudgeDamage(kernel, right, damage, backward);
    failures.Add(!failure, [&] { return *failure; });
  }
  return HoldsUnless(failures.failure());
}

/// Whether the edits leave alone where the tokens of sequence `b` lie and how many there are.
bool LeftAlone(const MetadataEdits& edits, const AttentionArgs& args, int b) {
  return std::none_of(edits.begin(), edits.end(), [&](const MetadataEdit& edit) {
    const bool page = edit.array == Metadata::block_table;
    return (page ? edit.at / args.max_pages : edit.at) == b;
  });
}

/// Edits that say what a call may say: results of the other sequences stay.
Verdict JudgeStillRight(const KernelRow& kernel, const Case& c, const MetadataEdits& edits) {
  Problem before(c), after(c);
  if (auto verdict = Run(kernel, before)) return *verdict;
  const Launcher edited = [&](const KernelRow& row, Problem& problem, AttentionArgs args,
                              bool back) {
    DamageOf("", edits).spoil(args);
    return Call(row, problem, args, back);
  };
  if (auto verdict = RunWith(edited, kernel, after)) return *verdict;
  const AttentionArgs args = before.Args(false);
  if (std::string broken = after.BrokenGuard(); !broken.empty()) {
    return Verdict::Fails({.kind = kind::kGuard, .where = Print(edits), .got = std::move(broken)});
  }
  auto failure =
      CompareRepeatable(kernel, {before, "as drawn"}, {after, "after " + Print(edits)},
                        [&](Operand, const Index& at) { return LeftAlone(edits, args, at.b); });
  return HoldsUnless(std::move(failure));
}

Verdict CheckEdited(const KernelRow& kernel, const Case& original, const MetadataEdits& edits) {
  const Case c = WithAllowedFill(kernel.traits, original);
  const bool backward = RunsBackward(kernel, c);
  Problem right(c), edited = right;
  AttentionArgs args = edited.Args(backward);
  for (const MetadataEdit& edit : edits) {
    if (edit.at >= SizeOf(args, edit.array)) {
      return Verdict::NotApplicable("the call has no number " + Print({edit}));
    }
    Apply(edit, args);
  }
  const std::string wrong = WhyWrong(args);
  if (wrong.empty()) return JudgeStillRight(kernel, c, edits);
  return HoldsUnless(
      JudgeDamage(kernel, right, DamageOf(Print(edits) + ": " + wrong, edits), backward));
}

PADPROOF_PROPERTY({.name = "bad_input_refused",
                   .statement = "a call with a wrong argument is refused, and nothing is written",
                   .inapplicable = Inapplicable,
                   .prepare = Prepare,
                   .check = Check,
                   .check_edited = CheckEdited});

}  // namespace
}  // namespace padproof
