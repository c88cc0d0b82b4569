"""What tasks cost: a made-up table, near enough to the real one that budgets can be tried. Nobody is billed."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from kirin_batch.sandbox.models import Model, images_of

__all__ = ["Price", "price_of"]

IMAGE_V2_USD = Decimal("0.0140")
IMAGE_V2_1_USD = Decimal("0.0280")
IMAGE_V3_USD = {"1k": Decimal("0.0280"), "2k": Decimal("0.0420"), "4k": Decimal("0.0560")}
FILM_SECOND_USD = {"std": Decimal("0.0840"), "pro": Decimal("0.1120")}
SOUND_SECOND_USD = Decimal("0.0420")
SUBJECT_USD = Decimal("0.0100")


@dataclass(frozen=True, slots=True)
class Price:
    """A unit's price in USD and how many units a task takes: images, seconds of film, or one subject."""

    unit: Decimal
    quantity: int

    @property
    def cost(self) -> Decimal:
        """The task's cost in USD, with four decimals."""
        return self.unit * self.quantity


def price_of(model: Model, params: Mapping[str, object]) -> Price:
    """A valid request's price: per image (by resolution), per second (by mode and sound), or flat for a subject."""
    match model:
        case Model.SUBJECT:
            return Price(SUBJECT_USD, 1)
        case Model.VIDEO_V3:
            sound = SOUND_SECOND_USD if params.get("sound") == "on" else Decimal("0.0000")
            return Price(FILM_SECOND_USD[str(params.get("mode", "std"))] + sound, int(str(params.get("duration", "5"))))
        case Model.IMAGE_V3:
            return Price(IMAGE_V3_USD[str(params.get("resolution", "1k"))], images_of(params))
        case Model.IMAGE_V2_1:
            return Price(IMAGE_V2_1_USD, images_of(params))
        case Model.IMAGE_V2:
            return Price(IMAGE_V2_USD, images_of(params))
