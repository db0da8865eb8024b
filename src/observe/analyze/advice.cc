// Risks by rules, what to change as lines that can be pasted, what to do, and what was not
// recorded.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "observe/analyze/passes.h"

namespace headroom::analyze {
namespace {

using memory::Zone;

void Risks(Context& context) {
  Findings& findings = context.findings;
  const auto add = [&](std::string name, std::string level, std::string because, std::string rule) {
    findings.risks.push_back(
        {std::move(name), std::move(level), std::move(because), std::move(rule)});
  };
  std::optional<Milliseconds> soonest;
  for (const LeakFinding& leak : findings.leaks) {
    if (leak.exhaustion && (!soonest || *leak.exhaustion < *soonest)) soonest = leak.exhaustion;
  }
  const Gauge* vram = context.First(GaugeKind::kVram);
  if (vram && vram->zoned) {
    const double share = 100 * vram->peak / *vram->total;
    const bool high = share >= 85 || (soonest && *soonest < std::chrono::hours(24));
    const bool medium = share >= 70 || soonest.has_value();
    add("card memory used up",
        high     ? "HIGH"
        : medium ? "MEDIUM"
                 : "LOW",
        fmt::format("peak {:.1f} %{}", share, soonest ? ", full in " + FormatLength(*soonest) : ""),
        "HIGH: peak >= 85 % or full within a day; MEDIUM: peak >= 70 % or any leak; else LOW");
  } else if (vram) {
    add("card memory used up", "UNKNOWN", "the GPU's size is not in the record",
        "needs the GPU's size");
  }
  const Gauge* ram = context.First(GaugeKind::kRam);
  if (ram) {
    const bool high = ram->peak_zone >= Zone::kDanger, medium = ram->peak_zone == Zone::kWarning;
    add("host memory used up",
        high     ? "HIGH"
        : medium ? "MEDIUM"
                 : "LOW",
        fmt::format("peak {} ({})", Size(ram->peak), Name(ram->peak_zone)),
        "HIGH: peak in danger or critical; MEDIUM: in warning; else LOW");
  }
  const std::uint64_t worst = findings.bursts.empty() ? 0 : findings.bursts.front().count;
  add("errors that cascade",
      worst >= 100 ? "HIGH"
      : worst > 0  ? "MEDIUM"
                   : "LOW",
      worst ? fmt::format("{} errors in one burst", worst) : "no burst of errors",
      "HIGH: 100 errors or more in one burst; MEDIUM: any burst; else LOW");
  const bool killed = context.Next(EventKind::kOomKill, findings.from, findings.to) != nullptr;
  add("work that is lost",
      killed || worst >= 100 ? "HIGH"
      : findings.errors > 0  ? "MEDIUM"
                             : "LOW",
      killed ? "a process was killed for memory" : fmt::format("{} errors", findings.errors),
      "HIGH: a kill, or a burst of 100; MEDIUM: any error; else LOW");
}

// Of a real unit only: "serve" is serve.service; a process is none.
std::string DropIn(const std::string& unit, const char* file) {
  const bool plain = unit.empty() || unit == "systemd" || unit == "kernel" ||
                     unit.find(':') != std::string::npos || unit.find('/') != std::string::npos;
  std::string name = plain ? "SERVICE.service" : unit;
  if (name.find('.') == std::string::npos) name += ".service";
  return "/etc/systemd/system/" + name + ".d/" + file;
}

double RoundUp(double bytes, double step) {
  return std::ceil(bytes / step) * step;
}

using Add = std::function<void(std::string, std::string, std::string, std::vector<std::string>)>;

double LimitOf(const Context& context, Metric metric) {
  double limit = 0;
  for (const Series& series : context.evidence.series())
    if (series.metric == metric && !series.points.empty() && series.points.back().value < 1e15)
      limit = std::max(limit, static_cast<double>(series.points.back().value));
  return limit;
}

// Never below what it holds when healthy, nor below the limits it has.
void Limit(Context& context, const Add& add) {
  const Gauge* ram = context.First(GaugeKind::kRam);
  if (!ram || ram->peak < 2 * ram->baseline || ram->peak < 2e9 || !context.findings.onset) return;
  double healthy = ram->baseline;
  for (const Phase& phase : context.findings.phases) {
    if (phase.kind != PhaseKind::kSteady && phase.kind != PhaseKind::kGrowing) continue;
    for (const Level& level : phase.levels)
      if (&context.findings.gauges[level.gauge] == ram)
        healthy = std::max({healthy, level.median, level.last});
  }
  const double has_high = LimitOf(context, Metric::kMemoryHigh),
               has_most = LimitOf(context, Metric::kMemoryMax);
  const double high = std::max(
      {RoundUp(std::max(3 * ram->baseline, 5e8), 5e8), RoundUp(1.3 * healthy, 5e8), has_high});
  const double most = std::max({high + 1e9, RoundUp(high * 4 / 3, 5e8), has_most});
  if (high <= has_high && most <= has_most) return;  // it has these limits
  if (high >= ram->peak) return;                     // they would not have held it
  add("limit the service's host memory",
      fmt::format("it normally holds {} and went to {}", Size(ram->baseline), Size(ram->peak)),
      DropIn(context.findings.unit, "memory.conf"),
      {"[Service]", fmt::format("MemoryHigh={:.0f}M", high / 1048576),
       fmt::format("MemoryMax={:.0f}M", most / 1048576)});
}

// What to set in the engine that the log is of.
void Engine(Context& context, const std::string& best, const Add& add) {
  std::string engine;
  std::uint64_t most = 0;
  for (const auto& [name, lines] : context.evidence.engines)
    if (name != "pytorch" && lines > most) most = lines, engine = name;
  if (engine.empty() && context.evidence.engines.contains("pytorch")) engine = "pytorch";
  const auto says = [&](std::string title, std::string why) {
    add(std::move(title), std::move(why), "", {});
  };
  if (best == "fragmentation")
    add("set PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True",
        "the allocator's free pieces are joined then, and the memory it holds can be used", "",
        {"Environment=PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True"});
  if (best == "memory-exhausted" || best == "model-too-large" || best == "another-process") {
    if (engine == "ollama")
      says(
          "a smaller context (num_ctx), OLLAMA_KV_CACHE_TYPE=q8_0, fewer layers on the GPU "
          "(num_gpu), or "
          "OLLAMA_GPU_OVERHEAD",
          "weights, the context's cache and the compute buffer must fit on each GPU");
    if (engine == "vllm")
      says(
          "a lower --gpu-memory-utilization, a smaller --max-model-len or --max-num-seqs, or "
          "--enforce-eager",
          "what vLLM preallocates, its CUDA graphs and other programs must fit together");
    if (engine == "sglang")
      says("a lower --mem-fraction-static", "SGLang preallocates that share of the GPU");
    if (engine == "llama.cpp")
      says(
          "a smaller context (-c), a smaller batch (-ub), a quantised cache (-ctk q8_0 -ctv q8_0), "
          "or fewer "
          "layers on the GPU (-ngl)",
          "the compute buffer grows with the batch and the context");
    if (engine == "comfyui")
      says(
          "start ComfyUI with --lowvram, use an fp8 or GGUF model, or a smaller resolution or "
          "batch",
          "weights and activations must fit together");
    if (engine == "ctranslate2")
      says("compute_type=int8_float16, a smaller model, or a smaller beam and batch",
           "faster-whisper loads the whole model onto the GPU");
    if (engine == "jax" || engine == "tensorflow")
      says(engine == "jax"
               ? "XLA_PYTHON_CLIENT_MEM_FRACTION, or XLA_PYTHON_CLIENT_PREALLOCATE=false"
               : "TF_FORCE_GPU_ALLOW_GROWTH=true",
           "it preallocates most of the GPU by design");
    if (engine == "onnxruntime")
      says("gpu_mem_limit and arena_extend_strategy=kSameAsRequested for the CUDA provider",
           "its arena doubles with each extension");
    if (engine == "pytorch")
      says("a smaller batch or sequence, a lower precision, or a smaller model",
           "what was tried did not fit into what was free");
  }
  if (best == "heap-limit")
    says(engine == "java"
             ? "raise -Xmx, or find what holds the objects (-XX:+HeapDumpOnOutOfMemoryError)"
             : "raise --max-old-space-size (NODE_OPTIONS), or find what holds the objects "
               "(--heapsnapshot-near-heap-limit=1)",
         "it is the program's own limit, not the machine's");
  if (best == "memory-limit")
    says("raise the group's or container's memory limit, or let the program hold less",
         "the limit was reached; the machine may have memory left");
  if (best == "pressure-kill")
    add("exempt the service from systemd-oomd, or raise the pressure limit",
        "it was ended because of pressure (waiting for memory), not because memory was used up",
        DropIn(context.findings.unit, "oomd.conf"),
        {"[Service]", "ManagedOOMPreference=avoid",
         "# of the slice: ManagedOOMMemoryPressureLimit=80%"});
  if (best == "host-memory" && context.findings.kills > 0)
    says(
        "a smaller model or quantisation, or more memory; a limit below what it holds only moves "
        "the kill",
        "the machine's memory and swap were used up");
  if (best == "driver-reset")
    says(
        "look at power, heat and PCIe (cables, riser, slot), then the driver; after Xid 79 or 154 "
        "the GPU needs "
        "a reboot",
        "the driver lost or reset the GPU, so the program's errors are a consequence");
  if (best == "suspend-resume")
    add("keep video memory over sleep, or reload the module after it",
        "the driver's state is lost: rmmod nvidia_uvm && modprobe nvidia_uvm repairs it without a "
        "reboot",
        "/etc/modprobe.d/nvidia-sleep.conf",
        {"options nvidia NVreg_PreserveVideoMemoryAllocations=1"});
}

void Recommend(Context& context) {
  Findings& findings = context.findings;
  const auto add = [&](std::string title, std::string why, std::string file,
                       std::vector<std::string> lines) {
    findings.recommendations.push_back(
        {std::move(title), std::move(why), std::move(file), std::move(lines)});
  };
  const std::string best = findings.hypotheses.empty() || findings.hypotheses.front().share == 0
                               ? ""
                               : findings.hypotheses.front().id;
  const std::string unit = findings.unit.empty() ? "SERVICE" : findings.unit;
  const auto model = [&] {
    if (!findings.model || findings.model->fit.fit == memory::Fit::kSafe) return;
    const ModelFit& fit = *findings.model;
    if (!fit.advice.empty()) {
      for (std::size_t i = 0; i < fit.advice.size(); ++i) {
        const std::string& title = fit.titles[i];
        const bool int8 = title.find("Q8_0") != std::string::npos;
        const std::string name = title.substr(0, title.find(" on "));
        std::string spec = name;
        std::replace(spec.begin(), spec.end(), ' ', ':');
        add(fmt::format("use {}{}", name, int8 ? " (INT8)" : ""), fit.advice[i].text, "config.toml",
            {"[models]", fmt::format("tiers = [\"{}@gpu\"]", spec)});
      }
    } else if (context.options.own) {
      const double room = context.options.fit.safe / 100 * fit.total;
      add(fmt::format("use a model that holds at most {}", GpuSize(room)),
          fmt::format("{:g} % of {} is the safe share", context.options.fit.safe,
                      GpuSize(fit.total)),
          "", {});
    }
  };
  const auto sleep = [&] {
    if (best == "suspend-resume")
      add("end the process that uses the GPU before the machine sleeps, and start it after",
          "the device's context does not survive; memory that is free does not help",
          "/usr/lib/systemd/system-sleep/" + unit + ".sh (executable)",
          {"#!/bin/sh", "case $1 in", fmt::format("pre) systemctl stop {} ;;", unit),
           fmt::format("post) systemctl start {} ;;", unit), "esac"});
  };
  sleep();
  model();
  if (best == "device-fault")
    add("end the process at the first error 700, 719 or 999, and let it be started again",
        "the error stays until the process ends: every retry fails",
        DropIn(findings.unit, "restart.conf"), {"[Service]", "Restart=on-failure", "RestartSec=5"});
  Engine(context, best, add);
  const Gauge* vram = context.First(GaugeKind::kVram);
  if (context.options.own && vram && vram->zoned && vram->peak_zone != Zone::kSafe)
    add("watch the GPU with these thresholds", "the zones that this report uses", "config.toml",
        {"[memory]", fmt::format("vram_warning = {:g}", context.options.thresholds.vram.warning),
         fmt::format("vram_danger = {:g}", context.options.thresholds.vram.danger),
         fmt::format("vram_critical = {:g}", context.options.thresholds.vram.critical)});
  Limit(context, add);
  for (const LeakFinding& leak : findings.leaks) {
    if (leak.verdict != LeakVerdict::kLeak || !leak.owner.empty()) continue;
    add("restart the service before the leak fills the memory, until it is found",
        leak.statement.text, DropIn(findings.unit, "leak.conf"),
        {"[Service]",
         fmt::format("RuntimeMaxSec={}h",
                     std::max<std::int64_t>(
                         1, leak.exhaustion ? leak.exhaustion->count() / 3'600'000 / 2 : 24)),
         "Restart=always"});
    break;
  }
}

void Missing(Context& context) {
  Findings& findings = context.findings;
  const auto has = [&](auto&& accept) {
    return std::any_of(
        context.evidence.series().begin(), context.evidence.series().end(),
        [&](const Series& series) { return !series.points.empty() && accept(series); });
  };
  const auto lacks = [&](bool there, const char* what) {
    if (!there) findings.missing.emplace_back(what);
  };
  const bool vram = has([](const Series& s) { return s.metric == Metric::kVramUsed; });
  lacks(vram,
        "memory of the GPU (nvidia-smi --query-gpu=timestamp,memory.used,memory.total "
        "--format=csv -l 1)");
  lacks(!vram || has([](const Series& s) { return s.metric == Metric::kVramTotal; }) ||
            context.options.gpu,
        "the size of the GPU: no zones without it (--card 4096MiB)");
  lacks(!vram ||
            has([](const Series& s) { return s.metric == Metric::kVramUsed && !s.owner.empty(); }),
        "memory of each program on the GPU (nvidia-smi pmon -s m -o DT): another program can "
        "neither be blamed nor ruled out");
  lacks(has([](const Series& s) { return s.metric == Metric::kRam; }),
        "memory of the service on the host");
  lacks(has([](const Series& s) {
          return s.metric == Metric::kSwap || s.metric == Metric::kHostSwap;
        }),
        "swap");
  lacks(has([](const Series& s) {
          return s.metric == Metric::kPsiFull || s.metric == Metric::kPsiSome;
        }),
        "pressure (/proc/pressure/memory): whether anything waited for memory");
  lacks(context.kernel_covered(),
        "the kernel's lines (journalctl -k -o json): sleep, Xid and kills cannot be seen");
  lacks(!context.evidence.events().empty(), "the service's log (journalctl -u UNIT -o json)");
}

// Two sources of one night that do not overlap: most often one names no zone.
void Overlap(Context& context) {
  const auto& sources = context.evidence.sources();
  for (std::size_t a = 0; a < sources.size(); ++a) {
    for (std::size_t b = 0; b < sources.size(); ++b) {
      const Source &one = sources[a], &other = sources[b];
      if (a == b || !one.zone_assumed || !one.first || !other.first ||
          (other.zone_assumed && a > b))
        continue;
      if (*one.first <= *other.last && *other.first <= *one.last) continue;
      const Milliseconds middle = (*other.first + (*other.last - *other.first) / 2) -
                                  (*one.first + (*one.last - *one.first) / 2);
      const auto hours = std::chrono::round<std::chrono::hours>(middle);
      if (std::abs(hours.count()) > 14) continue;
      const Milliseconds east =
          context.options.zone.ToLocal(*one.first) - one.first->time_since_epoch();
      const auto zone = std::chrono::duration_cast<std::chrono::minutes>(east - hours).count();
      context.findings.missing.insert(
          context.findings.missing.begin(),
          fmt::format("{} ({} to {}) and {} ({} to {}) do not overlap; {} names no time zone: "
                      "--zone {}{:02}:{:02} "
                      "would make them",
                      one.name, context.Clock(*one.first), context.Clock(*one.last), other.name,
                      context.Clock(*other.first), context.Clock(*other.last), one.name,
                      zone < 0 ? '-' : '+', std::abs(zone) / 60, std::abs(zone) % 60));
      return;
    }
  }
}

void Actions(Context& context) {
  Findings& findings = context.findings;
  for (const Recommendation& recommendation : findings.recommendations)
    findings.actions.push_back(recommendation.title);
  if (!findings.hypotheses.empty() && findings.hypotheses.front().share > 0 &&
      findings.hypotheses.front().share < 0.9)
    findings.actions.push_back("decide the cause: " + findings.hypotheses.front().decide);
  if (!findings.missing.empty() && findings.onset)
    findings.actions.push_back("record what was missing here, before the next time: " +
                               findings.missing.front());
}

}  // namespace

void FindAdvice(Context& context) {
  Risks(context);
  Recommend(context);
  Missing(context);
  Overlap(context);
  Actions(context);
}

}  // namespace headroom::analyze
