"""Part `sweep`: every classifier of torchvision, and one of every kind that timm has."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from figures import note
from processes import call_in_process
from tables import table

from cnninspect.sources.torchvision_schemas import import_torchvision

SLOWEST = 10
# The middle one, by name, of every module of timm 1.0.31, and two that people ask for.
NAMES = """
    beit_large_patch16_384 cait_xs24_384 coat_lite_tiny convit_small convmixer_1024_20_ks9_p14
    convnext_xlarge cpubone_b2pt5_dwnorm crossvit_18_240 cs3sedarknet_x csatv2_21m cspnext_s
    davit_huge_fl deepseek_vit_412m_align deit_base_distilled_patch16_224 densenet201 dla60x
    dpn92 edgenext_small_rw efficientformer_l3 efficientformerv2_s1 efficientvim_m3
    efficientvit_b3 efficientvit_m3 ese_vovnet39b_evos fasternet_t0 fastvit_s12
    focalnet_small_lrf gcvit_tiny gemma4_vit_570m ghostnetv2_160 halonet_h1 hardcorenas_d
    hgnetv2_b2 hiera_large_224 hrnet_w32 iformer_l_distilled inception_next_small
    inception_resnet_v2 inception_v3 inception_v4 lcnetv2_large legacy_seresnet101
    legacy_xception levit_conv_128 lowformer_b15 mambaout_femto maxvit_pico_rw_256 mixer_l16_224
    mobilenet_edgetpu_v2_s mobilenetv4_conv_aa_medium mobilenetv5_300m_enc mobilevitv2_100
    mvitv2_large_cls naflexvit_huge_patch16_radio_v3 nasnetalarge nest_small_jx nextvit_large
    nf_regnet_b4 pit_ti_224 pnasnet5large poolformer_m48 pvt_v2_b2_li qwen3_vit_306m_enc
    rdnet_small regnety_008 repghostnet_111 repvgg_b0 repvit_m1_5 res2net50_48w_2s
    resnest50d_4s2x40d resnetblur18 resnetv2_50x1_bit rexnetr_100 sam2_hiera_large
    samvit_huge_patch16 selecsls60 sequencer2d_l sequencer2d_m shvit_s3 skresnet50 starnet_s4
    swiftformer_s swin_s3_base_224 swinv2_cr_large_384 swinv2_large_window12to16_192to256
    tiny_vit_21m_224 tnt_s_legacy_patch16_224 tresnet_v2_l twins_svt_base vgg16 visformer_tiny
    vit_base_patch16_224 vit_gigantic_patch14_clip_224 vit_huge_plus_patch16_dinov3_qkvb
    vit_large_r50_s32_384 vit_relpos_medium_patch16_224 vitamin_large_256 volo_d3_448 xception65
    xcit_small_12_p16_224
"""
TIMM = NAMES.split()


def classifiers() -> list[str]:
    """In a process of its own, so that this one stays small: those of torchvision, in its order."""
    torchvision, _ = import_torchvision()
    return torchvision.models.list_models(module=torchvision.models)


def summarize_all(source: str, names: list[str]) -> list[tuple[float, int]]:
    """In a process of its own: seconds to build, trace and summarise each, and uncounted calls."""
    import cnninspect

    cnninspect.summarize(f"{source}:{names[0]}")  # so that imports are not measured
    results = []
    for name in names:
        start = time.perf_counter()
        summary = cnninspect.summarize(f"{source}:{name}")
        results.append((time.perf_counter() - start, summary.coverage.unknown))
    return results


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: models in a second by source, and the slowest of all."""
    rows, times = [], {}
    for source, names in (("torchvision", call_in_process("sweep:classifiers")), ("timm", TIMM)):
        runs = []
        for _ in range(repeats):
            progress(f"{len(names)} models of {source}")
            runs.append(call_in_process("sweep:summarize_all", source=source, names=names))
        seconds = [statistics.median(run[nth][0] for run in runs) for nth in range(len(names))]
        per_second = note(f"{source}: models in a second", [len(names) / sum(seconds)], unit="1/s")
        times.update({f"`{source}:{name}`": each for name, each in zip(names, seconds)})
        rows.append([
            source, f"{len(names)}", f"{per_second:.1f}",
            f"{1e3 * statistics.median(seconds):.0f}", f"{sum(each[1] for each in runs[0])}",
        ])  # fmt: skip
    slowest = sorted(times, key=times.__getitem__, reverse=True)[:SLOWEST]
    return "\n\n".join(
        (
            table(["", "models", "models/s", "ms, median", "calls without a formula"], rows),
            "The slowest:",
            table(["", "s"], [[name, f"{times[name]:.2f}"] for name in slowest]),
        )
    )
