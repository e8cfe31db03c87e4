#include "harness/judge/property.h"

#include <algorithm>
#include <deque>
#include <optional>

#include "harness/case/generate.h"
#include "harness/judge/kernel_registry.h"

namespace padproof {
namespace {

std::vector<const Property*>& MutableProperties() {
  static std::vector<const Property*> properties;
  return properties;
}

}  // namespace

bool RegisterProperty(const Property& property) {
  static std::deque<Property> storage;  // keeps addresses
  auto& all = MutableProperties();
  all.push_back(&storage.emplace_back(property));
  std::sort(all.begin(), all.end(), [](const Property* a, const Property* b) {
    return std::string_view(a->name) < std::string_view(b->name);
  });
  return true;
}

const std::vector<const Property*>& Properties() { return MutableProperties(); }

const Property* FindProperty(std::string_view name) {
  for (const Property* property : Properties()) {
    if (name == property->name) return property;
  }
  return nullptr;
}

std::string IdOf(const KernelRow& row) { return std::string(row.name) + "@" + row.backend; }

bool TakesSchedule(std::string_view backend) { return backend == "simt"; }

const KernelRow* HostTwin(const KernelRow& row) {
  if (row.device == nullptr) return nullptr;
  for (const KernelRow* host : RegisteredKernels()) {
    if (std::string_view(host->name) == row.name && TakesSchedule(host->backend)) return host;
  }
  return nullptr;
}

Passes PassesOf(const KernelRow& kernel) {
  return {.forward = kernel.forward != nullptr, .backward = kernel.backward != nullptr};
}

const char* WhyInapplicable(const Property& property, std::string_view backend,
                            const KernelTraits& traits, Passes passes, bool has_host_twin) {
  if (property.with_host_twin_only && !has_host_twin)
    return "is not on a device with a row of its name on the host";
  if (property.on_host_only && backend == "cuda") return "its memory is a device's";
  if (property.scheduled_only && !TakesSchedule(backend))
    return "its backend takes no order of blocks and threads";
  const bool about_attention = property.about_attention || property.has_bound;
  if (about_attention && traits.promises.output != OutputOf::attention)
    return "its output is not attention's, whose formula the law needs";
  return property.inapplicable(traits, passes.forward, passes.backward);
}

std::string Unsupported(const KernelTraits& traits, Passes passes, const Case& c) {
  const auto lacks = [](const char* field, std::string_view value) {
    return "the kernel does not take " + std::string(field) + "=" + std::string(value);
  };
  if (!traits.dtypes.Has(c.dtype)) return lacks("dtype", NameOf(c.dtype));
  if (!traits.layouts.Has(c.layout)) return lacks("layout", NameOf(c.layout));
  if (!traits.strides.Has(c.strides)) return lacks("strides", NameOf(c.strides));
  if (!traits.masks.Has(c.mask)) return lacks("mask", NameOf(c.mask));
  if (!traits.mask_forms.Has(c.mask_form)) return lacks("mask_form", NameOf(c.mask_form));
  if (!traits.biases.Has(c.bias)) return lacks("bias", NameOf(c.bias));
  if (std::string missing = MissingFeature(traits.features, c); !missing.empty()) {
    return "the kernel does not take " + missing;
  }
  if (HasPads(c) && !traits.pad_sides.Has(c.pad_side)) {
    return lacks("pad_side", NameOf(c.pad_side));
  }
  for (int dim : {c.dim, c.value_dim()}) {
    if (dim > traits.dim_max || dim % traits.dim_multiple != 0) {
      return lacks("dim", std::to_string(dim));
    }
  }
  if (c.page_size % traits.page_multiple != 0) {
    return lacks("page_size", std::to_string(c.page_size));
  }
  if (c.seqlen_k() < traits.seqlen_k_min) return "the kernel does not take empty K and V";
  if (c.backward && !passes.backward) return "the kernel has no backward";
  if (!c.backward && !passes.forward) return "the kernel has only a backward: say backward=true";
  return {};
}

void PrepareFor(const Property& property, Case& c, const KernelTraits& traits, Random& random) {
  property.prepare(c, traits, random);
  Settle(c, traits.layouts, traits.dim_multiple);
  if (!property.tells_heads_apart || c.strides != Strides::expanded) return;
  c.strides = Strides::contiguous;
  c.strided = kAllOperands;
}

namespace {

/// No value when the law has a say on this kernel and case.
std::optional<Verdict> NotJudged(const Property& property, const KernelRow& kernel, const Case& c) {
  if (std::string wrong = Validate(c); !wrong.empty()) return Verdict::NotApplicable(wrong);
  if (const char* why = WhyInapplicable(property, kernel.backend, kernel.traits, PassesOf(kernel),
                                        HostTwin(kernel) != nullptr)) {
    return Verdict::NotApplicable(why);
  }
  if (std::string why = Unsupported(kernel.traits, PassesOf(kernel), c); !why.empty()) {
    return Verdict::NotApplicable(why);
  }
  if (property.tells_heads_apart && c.strides == Strides::expanded) {
    return Verdict::NotApplicable("heads that share memory cannot differ");
  }
  return std::nullopt;
}

}  // namespace

Verdict Judge(const Property& property, const KernelRow& kernel, const Case& c) {
  if (auto verdict = NotJudged(property, kernel, c)) return *verdict;
  return property.check(kernel, c);
}

Verdict JudgeEdited(const Property& property, const KernelRow& kernel, const Case& c,
                    const MetadataEdits& edits) {
  PADPROOF_CHECK(property.check_edited != nullptr);
  if (auto verdict = NotJudged(property, kernel, c)) return *verdict;
  return property.check_edited(kernel, c, edits);
}

}  // namespace padproof
