"""What a model can be asked, as work that several processes share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from brickwork._ask import several
from brickwork._errors import told
from brickwork._verbs import SharedVerbs
from brickwork._work import Work

if TYPE_CHECKING:
    from brickwork._ask import Data
    from brickwork._model import Model


class Shared(SharedVerbs):
    """What a model can be asked, as work that several processes share."""

    def layers(self, source: Model) -> list[str]:
        """The layers of this component that lost anything of `source`, in the order in which they are refitted."""
        with told():
            return self._model._native.layers_to_refit(source._native)

    def refit_layer(
        self,
        layer: str,
        source: Model,
        data: Data = (),
        *,
        positions: int = 8,
        ridge: float = 1e-3,
        seed: int = 0,
        **options: Any,
    ) -> Work[Model]:
        """Refit one layer of a component to what its source gives there, from sums over all images.

        The `layers` of a component are refitted in their order, each on what those before it deliver. Memory does not
        grow with the number of images, and sums of several processes add up to those of one but for the rounding of
        float64: weights differ by less than one part in a million of the largest.

        Args:
            layer: the layer, by its node's name
            source: the model that the component was cut from
            data: labelled images, as `refit` takes them
            positions: positions of an image that are looked at, at most, where a layer has several
            ridge: ridge relative to the mean diagonal of the second moments, at least: up to ten thousand times as
                much if that does better on every fourth image, which is left out for that
            seed: seed of every random choice
            options: how images become the model's input, as `refit` takes it
        """
        from brickwork._answer import Answer

        request = {
            **options, "data": several(data), "layer": layer, "source": source, "positions": positions,
            "ridge": ridge, "model": self._model,
        }
        return Work("refit layer", Answer, request, seed, f"{self._model.name}.onnx")
