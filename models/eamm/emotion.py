"""E_e, the emotion extractor: what a face with its mouth covered feels, f_e."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from models.eamm.sizes import EammSizes
from models.fomm.blocks import AntiAlias, Hourglass

N_EMOTIONS = 8


class BasicBlock(nn.Module):
    """Residual block of ResNet-18 (He et al. 2016)."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1:
            shortcut = nn.Conv2d(n_in, n_out, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(n_out))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, D, H/stride, W/stride]."""
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.downsample(x))


def _layer(n_in: int, n_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(BasicBlock(n_in, n_out, stride), BasicBlock(n_out, n_out, 1))


class EmotionExtractor(nn.Module):
    """E_e."""

    def __init__(self, sizes: EammSizes) -> None:
        super().__init__()
        fomm, w = sizes.fomm, sizes.emotion_width
        self.down = AntiAlias()
        self.predictor = Hourglass(fomm.detector_width, 3, fomm.n_levels, fomm.detector_max)
        self.conv1 = nn.Conv2d(fomm.map_channels, w, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(w)
        self.layer1 = _layer(w, w, 1)
        self.layer2 = _layer(w, 2 * w, 2)
        self.layer3 = _layer(2 * w, 4 * w, 2)
        self.layer4 = _layer(4 * w, 8 * w, 2)

    def forward(self, image: Tensor) -> Tensor:
        """Faces [B, 3, S, S], 0..1 RGB, mouth covered -> f_e [B, emotion_dims], not negative."""
        x = self.predictor(self.down(image))
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, stride=2, padding=1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean(dim=(2, 3))


class EmotionClassifier(nn.Module):
    """Names the emotion of f_e; part of the training only."""

    def __init__(self, sizes: EammSizes) -> None:
        super().__init__()
        self.last_fc = nn.Linear(sizes.emotion_dims, N_EMOTIONS)

    def forward(self, feature: Tensor) -> Tensor:
        """[B, emotion_dims] -> logits [B, 8]."""
        return self.last_fc(feature)
