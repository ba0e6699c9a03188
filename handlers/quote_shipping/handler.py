"""Quotes parcels from a price list: pure calculation, nothing to read and nothing to remember."""

import math

from toolcell import ToolError

# zone: (speed: (base in cents, cents for each started kilogram, fewest days, most days))
PRICES = {
    "home": {"SPEED_STANDARD": (490, 45, 1, 3), "SPEED_EXPRESS": (1290, 90, 1, 1)},
    "union": {"SPEED_STANDARD": (990, 130, 3, 6), "SPEED_EXPRESS": (2490, 310, 1, 2)},
    "overseas": {"SPEED_STANDARD": (2190, 640, 8, 20), "SPEED_EXPRESS": (4990, 1250, 2, 4)},
    "remote": {"SPEED_STANDARD": (2990, 890, 15, 40)},
}
ZONES = {
    "home": "DE",
    "union": "AT BE BG CY CZ DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK",
    "overseas": "AU BR CA CH GB IN JP KR MX NO NZ SG US ZA",
    "remote": "FJ GL IS MG NC PF",
}
ZONE_OF = {country: zone for zone, countries in ZONES.items() for country in countries.split()}
HEAVY_KG, HEAVY_CENTS = 20, 1500


def handler(arguments: dict, cell) -> dict:
    """Returns the price of one parcel with its parts, or says what is possible instead."""
    weight, country = arguments["weight_kg"], arguments["country"]
    speed = arguments["speed"].replace("UNSPECIFIED", "STANDARD")
    zone = ZONE_OF.get(country)
    if zone is None:
        raise ToolError(f"no service to {country}; ask for another destination", code="NOT_SERVED")
    if speed not in PRICES[zone]:
        raise ToolError(f"no express service to {country}; ask for SPEED_STANDARD", code="NOT_SERVED")
    base, per_kilogram, days_min, days_max = PRICES[zone][speed]
    charges = {"parcel": base, "weight": per_kilogram * math.ceil(weight)}
    if weight > HEAVY_KG:
        charges["heavy parcel"] = HEAVY_CENTS
    return {
        "price_cents": str(sum(charges.values())),
        "currency": "EUR",
        "charges": [{"label": label, "amount_cents": str(cents)} for label, cents in charges.items()],
        "days_min": days_min,
        "days_max": days_max,
    }
