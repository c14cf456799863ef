"""Free operators of ONNX, without the namespace."""

from __future__ import annotations

REASONS: dict[str, str] = {
    "arithmetic element by element": """
        Abs Add BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Ceil Clip Div Floor Max Mean
        Min Mod Mul Neg Pow Reciprocal RotaryEmbedding Round Sign Sqrt Sub Sum""",
    "a function of each element": """
        Acos Acosh Asin Asinh Atan Atanh Cos Cosh Erf Exp Log Sin Sinh Tan""",
    "an activation": """
        Celu Elu Gelu HardSigmoid HardSwish LeakyRelu Mish PRelu Relu Selu Shrink Sigmoid Softplus
        Softsign SwiGLU Swish Tanh ThresholdedRelu""",
    "a comparison or logic": """
        And Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Not Or Where Xor""",
    "a sum, a norm or another statistic over elements": """
        ArgMax ArgMin CumProd CumSum ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
        ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare""",
    "normalisation": """
        BatchNormalization GroupNormalization InstanceNormalization LRN LayerNormalization
        LpNormalization MeanVarianceNormalization RMSNormalization""",
    "pooling": """
        AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool MaxRoiPool
        MaxUnpool""",
    "softmax": "Hardmax LogSoftmax Softmax",
    "dropout": "Dropout",
    "a loss": "NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss",
    "resampling by a fixed rule of interpolation": "GridSample Resize RoiAlign Upsample",
    "a view, a copy or another shape of the same data": """
        BitCast Cast CastLike CenterCropPad Col2Im Concat DepthToSpace Expand Flatten Identity Pad
        Reshape ReverseSequence Slice SpaceToDepth Split Squeeze Tile Transpose Trilu Unsqueeze""",
    "the making of a tensor": """
        BlackmanWindow Constant ConstantOfShape EyeLike HammingWindow HannWindow MelWeightMatrix
        Range""",
    "random numbers": """
        Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike""",
    "gathering and scattering by index": """
        Compress Gather GatherElements GatherND NonZero OneHot Scatter ScatterElements ScatterND
        TensorScatter""",
    "sorting, searching and selecting": "NonMaxSuppression TopK Unique",
    "quantisation: scaling and rounding": "DequantizeLinear DynamicQuantizeLinear QuantizeLinear",
    "a fact about a tensor": "Shape Size",
    "a sequence or an optional value": """
        ConcatFromSequence Optional OptionalGetElement OptionalHasElement SequenceAt
        SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength
        SplitToSequence""",
    "text, or the reading of a picture": """
        ImageDecoder RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer""",
}
