"""The countries of the EU and the forms of their VAT ids (DOMAIN.md, appendix C)."""

import re

_SEPARATORS = str.maketrans("", "", " .-")
_FORMS = {
    "AT": r"ATU[0-9]{8}",
    "BE": r"BE[01][0-9]{9}",
    "BG": r"BG[0-9]{9,10}",
    "CY": r"CY[0-9]{8}[A-Z]",
    "CZ": r"CZ[0-9]{8,10}",
    "DE": r"DE[0-9]{9}",
    "DK": r"DK[0-9]{8}",
    "EE": r"EE[0-9]{9}",
    "ES": r"ES(?:[A-Z][0-9]{7}[0-9A-Z]|[0-9]{8}[A-Z])",
    "FI": r"FI[0-9]{8}",
    "FR": r"FR[0-9A-HJ-NP-Z]{2}[0-9]{9}",
    "GR": r"EL[0-9]{9}",
    "HR": r"HR[0-9]{11}",
    "HU": r"HU[0-9]{8}",
    "IE": r"IE(?:[0-9]{7}[A-Z]{1,2}|[0-9][A-Z+*][0-9]{5}[A-Z])",
    "IT": r"IT[0-9]{11}",
    "LT": r"LT(?:[0-9]{9}|[0-9]{12})",
    "LU": r"LU[0-9]{8}",
    "LV": r"LV[0-9]{11}",
    "MT": r"MT[0-9]{8}",
    "NL": r"NL[0-9]{9}B[0-9]{2}",
    "PL": r"PL[0-9]{10}",
    "PT": r"PT[0-9]{9}",
    "RO": r"RO[0-9]{2,10}",
    "SE": r"SE[0-9]{12}",
    "SI": r"SI[0-9]{8}",
    "SK": r"SK[0-9]{10}",
}
_COMPILED = {country: re.compile(form) for country, form in _FORMS.items()}

EU_COUNTRIES = frozenset(_FORMS)


def is_vat_id(text: str, country: str) -> bool:
    """Whether a text is well formed as a VAT id of an EU country, without its spaces, dots and hyphens."""
    return _COMPILED[country].fullmatch(text.translate(_SEPARATORS).upper()) is not None
