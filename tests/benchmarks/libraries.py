"""Networks of other people's libraries, as code that makes each, with the inputs that it takes."""

from __future__ import annotations

IMAGE = "torch.rand(1, 3, 64, 64)"
SCENE = "torch.rand(1, 3, 128, 128)"
LARGE = "torch.rand(1, 3, 224, 224)"
VOLUME = "torch.rand(1, 1, 32, 32, 32)"
LATENT = "torch.rand(1, 4, 32, 32)"

SEGMENTERS = """Unet UnetPlusPlus MAnet Linknet FPN PSPNet DeepLabV3 DeepLabV3Plus PAN UPerNet
    Segformer"""
ENCODERS = "resnet18 mobilenet_v2 efficientnet-b0 densenet121 mit_b0 timm-regnetx_002 vgg11_bn"
CLIPS = """RN50 RN50x4 ViT-B-32 ViT-B-16 ViT-S-16 coca_ViT-B-32 coca_base convnext_tiny
    convnext_base MobileCLIP-S1 EVA02-B-16 vit_medium_patch16_gap_256 ViTamin-S ViT-M-32-alt
    ViT-B-16-SigLIP PE-Core-B-16"""
VIT = "image_size=64, patch_size=8, num_classes=10, dim=64, depth=2, heads=4, mlp_dim=128"
TOKENS = "torch.randint(0, 100, (1, 24))"


def _of(library: str, makers: dict[str, str], inputs: str) -> list[tuple[str, str, str]]:
    return [(f"{library}: {name}", code, inputs) for name, code in makers.items()]


def _segmentation() -> list[tuple[str, str, str]]:
    models = {n: f"lib.{n}('resnet18', encoder_weights=None)" for n in SEGMENTERS.split()}
    models |= {f"Unet, {e}": f"lib.Unet('{e}', encoder_weights=None)" for e in ENCODERS.split()}
    return _of("segmentation_models_pytorch", models, SCENE)


def _vit() -> list[tuple[str, str, str]]:
    plain = {
        "vit": f"sub('vit').ViT({VIT})",
        "simple_vit": f"sub('simple_vit').SimpleViT({VIT})",
        "deepvit": f"sub('deepvit').DeepViT({VIT})",
        "cait": f"sub('cait').CaiT({VIT}, cls_depth=1)",
        "parallel_vit": f"sub('parallel_vit').ViT({VIT}, num_parallel_branches=2)",
        "vit_with_patch_merger": f"sub('vit_with_patch_merger').ViT({VIT})",
        "vit_for_small_dataset": f"sub('vit_for_small_dataset').ViT({VIT})",
        "simple_vit_with_qk_norm": f"sub('simple_vit_with_qk_norm').SimpleViT({VIT})",
        "simple_vit_with_fft": f"sub('simple_vit_with_fft').SimpleViT({VIT}, freq_patch_size=8)",
        "normalized_vit": f"sub('normalized_vit').nViT({VIT})",
        "ats_vit": f"sub('ats_vit').ViT({VIT}, max_tokens_per_depth=(32, 16))",
        "xcit": f"sub('xcit').XCiT({VIT}, cls_depth=1)",
        "cct": "sub('cct').CCT(img_size=64, embedding_dim=64, num_layers=2, num_heads=4)",
        "cvt": "sub('cvt').CvT(num_classes=10)",
    }
    large = {
        "max_vit": "sub('max_vit').MaxViT(num_classes=10, dim=32, depth=(1, 1, 1, 1), dim_head=16)",
        "twins_svt": "sub('twins_svt').TwinsSVT(num_classes=10)",
        "crossformer": "sub('crossformer').CrossFormer(num_classes=10)",
        "levit": "sub('levit').LeViT(image_size=224, num_classes=10, stages=3, dim=(64, 96, 128),"
        " depth=2, heads=(2, 4, 8), mlp_mult=2)",
        "regionvit": "sub('regionvit').RegionViT(dim=(32, 64, 96, 128), depth=(1, 1, 1, 1),"
        " num_classes=10)",
    }
    square = {
        "mobile_vit": "sub('mobile_vit').MobileViT((256, 256), [96, 120, 144],"
        " [16, 32, 48, 48, 64, 64, 80, 80, 96, 96, 384], num_classes=10)",
    }
    video = {
        "vivit": "sub('vivit').ViViT(image_size=64, image_patch_size=16, frames=8,"
        " frame_patch_size=2, num_classes=10, dim=64, spatial_depth=2, temporal_depth=2,"
        " heads=4, mlp_dim=128)",
    }
    return [
        *_of("vit_pytorch", plain, IMAGE),
        *_of("vit_pytorch", large, LARGE),
        *_of("vit_pytorch", square, "torch.rand(1, 3, 256, 256)"),
        *_of("vit_pytorch", video, "torch.rand(1, 3, 8, 64, 64)"),
    ]


def _x_transformers() -> list[tuple[str, str, str]]:
    options = {
        "plain": "", "rotary": "rotary_pos_emb=True", "alibi": "alibi_pos_bias=True",
        "relative": "rel_pos_bias=True", "gated": "ff_glu=True", "rms norm": "use_rmsnorm=True",
        "one kv head": "attn_one_kv_head=True", "flash": "attn_flash=True",
        "talking heads": "attn_pre_talking_heads=True", "sandwich norm": "sandwich_norm=True",
        "memory": "attn_num_mem_kv=8", "top k": "attn_sparse_topk=4",
        "macaron": "macaron=True", "shift": "shift_tokens=1",
    }  # fmt: skip
    makers = {
        name: "lib.TransformerWrapper(num_tokens=100, max_seq_len=64,"
        f" attn_layers=lib.Decoder(dim=64, depth=2, heads=4, {option}))"
        for name, option in options.items()
    }
    return _of("x_transformers", makers, TOKENS)


def _diffusers() -> list[tuple[str, str, str]]:
    steps = "torch.tensor([3])"
    text = "torch.rand(1, 7, 1280)"
    small = "block_out_channels=(32, 64), norm_num_groups=8"
    return [
        *_of("diffusers", {"AutoencoderTiny": "lib.AutoencoderTiny()",
                           "AutoencoderKL": f"lib.AutoencoderKL({small},"
                           " down_block_types=('DownEncoderBlock2D',) * 2,"
                           " up_block_types=('UpDecoderBlock2D',) * 2)",
                           "VQModel": "lib.VQModel()"}, IMAGE),
        ("diffusers: UNet2DModel", "lib.UNet2DModel(sample_size=32, in_channels=4)",
         f"{LATENT}, {steps}"),
        ("diffusers: UNet2DConditionModel",
         f"lib.UNet2DConditionModel(sample_size=32, {small}, cross_attention_dim=1280,"
         " down_block_types=('CrossAttnDownBlock2D', 'DownBlock2D'),"
         " up_block_types=('UpBlock2D', 'CrossAttnUpBlock2D'))", f"{LATENT}, {steps}, {text}"),
        ("diffusers: UNet1DModel", "lib.UNet1DModel(sample_size=256, extra_in_channels=16)",
         f"torch.rand(1, 2, 256), {steps}"),
        ("diffusers: DiTTransformer2DModel",
         "lib.DiTTransformer2DModel(num_layers=2, sample_size=32)",
         f"{LATENT}, {steps}, torch.tensor([5])"),
        ("diffusers: PixArtTransformer2DModel",
         "lib.PixArtTransformer2DModel(num_layers=2, sample_size=32, caption_channels=4096)",
         f"{LATENT}, torch.rand(1, 7, 4096), {steps}"),
        ("diffusers: PriorTransformer", "lib.PriorTransformer(num_layers=2)",
         f"torch.rand(1, 768), {steps}, torch.rand(1, 768), torch.rand(1, 77, 768)"),
        ("diffusers: SD3Transformer2DModel",
         "lib.SD3Transformer2DModel(sample_size=32, num_layers=2, in_channels=4)",
         f"{LATENT}, torch.rand(1, 7, 4096), torch.rand(1, 2048), {steps}"),
    ]  # fmt: skip


def _monai() -> list[tuple[str, str, str]]:
    channels = "spatial_dims=3, in_channels=1, out_channels=2"
    makers = {
        "UNet": f"sub('networks.nets').UNet({channels}, channels=(8, 16, 32), strides=(2, 2))",
        "BasicUNet": f"sub('networks.nets').BasicUNet({channels}, features=(8, 8, 16, 32, 64, 8))",
        "AttentionUnet": f"sub('networks.nets').AttentionUnet({channels}, channels=(8, 16, 32),"
        " strides=(2, 2))",
        "SegResNet": f"sub('networks.nets').SegResNet({channels})",
        "SegResNetVAE": "sub('networks.nets').SegResNetVAE(input_image_size=(32, 32, 32),"
        " in_channels=1, out_channels=2)",
        "VNet": "sub('networks.nets').VNet(in_channels=1, out_channels=2)",
        "HighResNet": f"sub('networks.nets').HighResNet({channels})",
        "DynUNet": f"sub('networks.nets').DynUNet({channels}, kernel_size=[3, 3, 3],"
        " strides=[1, 2, 2], upsample_kernel_size=[2, 2])",
        "DenseNet121": f"sub('networks.nets').DenseNet121({channels})",
        "ResNet": "sub('networks.nets').resnet18(spatial_dims=3, n_input_channels=1)",
        "EfficientNetBN": "sub('networks.nets').EfficientNetBN('efficientnet-b0', spatial_dims=3,"
        " in_channels=1, pretrained=False)",
        "UNETR": "sub('networks.nets').UNETR(in_channels=1, out_channels=2,"
        " img_size=(32, 32, 32), hidden_size=96, mlp_dim=128, num_heads=4, feature_size=8)",
        "ViT": "sub('networks.nets').ViT(in_channels=1, img_size=(32, 32, 32),"
        " patch_size=(8, 8, 8), hidden_size=96, mlp_dim=128, num_layers=2, num_heads=4)",
        "MedNeXtS": "sub('networks.nets').MedNeXtS(spatial_dims=3, in_channels=1, out_channels=2)",
        "AutoEncoder": f"sub('networks.nets').AutoEncoder({channels}, channels=(4, 8, 16),"
        " strides=(2, 2, 2))",
        "AHNet": "sub('networks.nets').AHNet(spatial_dims=3, in_channels=1, out_channels=2,"
        " psp_block_num=0)",
    }
    large = {
        "SwinUNETR": "sub('networks.nets').SwinUNETR(in_channels=1, out_channels=2,"
        " feature_size=12)",
    }
    return [
        *_of("monai", makers, VOLUME),
        *_of("monai", large, "torch.rand(1, 1, 64, 64, 64)"),
    ]


def _kornia() -> list[tuple[str, str, str]]:
    pictures = {name: f"sub('feature').{name}()" for name in ("DISK", "XFeatModel", "ALIKED")}
    patches = {
        name: f"sub('feature').{name}(pretrained=False)"
        for name in ("HardNet", "HardNet8", "HyNet", "SOSNet", "TFeat", "OriNet")
    }
    return [
        *_of("kornia", pictures, "torch.rand(1, 3, 64, 64)"),
        *_of("kornia", patches, "torch.rand(4, 1, 32, 32)"),
        ("kornia: LoFTR", "sub('feature').LoFTR(pretrained=None)",
         "{'image0': torch.rand(1, 1, 64, 64), 'image1': torch.rand(1, 1, 64, 64)}"),
        ("kornia: SIFTDescriptor", "sub('feature').SIFTDescriptor(32)", "torch.rand(4, 1, 32, 32)"),
    ]  # fmt: skip


def _open_clip() -> list[tuple[str, str, str]]:
    return [
        (f"open_clip: {name}", f"lib.create_model('{name}', pretrained=None)",
         "torch.rand(1, 3, SIZE, SIZE), torch.randint(1, 90, (1, CONTEXT))")
        for name in CLIPS.split()
    ]  # fmt: skip


def _efficientnet() -> list[tuple[str, str, str]]:
    makers = {f"b{i}": f"lib.EfficientNet.from_name('efficientnet-b{i}')" for i in range(8)}
    return _of("efficientnet_pytorch", makers, LARGE)


def _pytorchcv(names: list[str]) -> list[tuple[str, str, str]]:
    makers = {name: f"sub('model_provider').get_model('{name}')" for name in names}
    return _of("pytorchcv", makers, "torch.rand(1, model.in_channels if hasattr(model,"
               " 'in_channels') else 3, *getattr(model, 'in_size', (224, 224)))")  # fmt: skip


LIBRARIES = {
    "segmentation_models_pytorch": _segmentation,
    "vit_pytorch": _vit,
    "x_transformers": _x_transformers,
    "diffusers": _diffusers,
    "monai": _monai,
    "kornia": _kornia,
    "open_clip": _open_clip,
    "efficientnet_pytorch": _efficientnet,
}
"""What gives the networks of each; `pytorchcv` names its own."""
