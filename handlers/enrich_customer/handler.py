"""Collects findings about an email address, source by source; slow on purpose, with progress and logs."""

import hashlib
import time

LOOKUP_SECONDS = 0.4  # stands for the round trip to a real source

PRIVATE = {"gmail.com", "gmx.de", "hotmail.com", "outlook.com", "proton.me", "web.de", "yahoo.com"}
COUNTRIES = {"at": "AT", "ch": "CH", "de": "DE", "fr": "FR", "in": "IN", "se": "SE", "uk": "GB"}
ROLES = {"admin", "billing", "contact", "hello", "info", "office", "sales", "support"}


def organisation(name: str, domain: str) -> tuple[str, float] | None:
    """Tells whose mailbox it is."""
    return ("private mailbox", 0.9) if domain in PRIVATE else (domain, 0.7)


def picture(name: str, domain: str) -> tuple[str, float] | None:
    """Gives the digest that picture services know an address by."""
    return hashlib.sha256(f"{name}@{domain}".encode()).hexdigest(), 1.0


def country(name: str, domain: str) -> tuple[str, float] | None:
    """Tells the country of the domain's ending, if it is one."""
    code = COUNTRIES.get(domain.rpartition(".")[2])
    return (code, 0.6) if code else None


def role(name: str, domain: str) -> tuple[str, float] | None:
    """Tells whether a role and not a person reads the mail."""
    return (f"role mailbox: {name}", 0.8) if name in ROLES else None


SOURCES = {
    "SOURCE_ORGANISATION": organisation,
    "SOURCE_PICTURE": picture,
    "SOURCE_COUNTRY": country,
    "SOURCE_ROLE": role,
}


def handler(arguments: dict, cell) -> dict:
    """Asks every wanted source in turn and returns what they knew."""
    name, _, domain = arguments["email"].lower().rpartition("@")
    findings = []
    for done, source in enumerate(wanted := arguments["sources"]):
        cell.progress(done / len(wanted), f"asking {source}")
        time.sleep(LOOKUP_SECONDS)
        found = SOURCES[source](name, domain)
        cell.log("source answered", source=source, found=found is not None)
        if found:
            findings.append({"source": source, "value": found[0], "confidence": found[1]})
    cell.progress(1.0, "done")
    return {"findings": findings}
