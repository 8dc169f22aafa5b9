"""Web addresses that a person or somebody's workflow names: one strict form, so that nothing is sent elsewhere."""

import re
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import quote, unquote_to_bytes

from ..errors import HRVError

FORM = 'http://host:port/path or https://host/path, without user or password, "?", "#", spaces or ".."'
LONGEST = 2000  # characters
QUOTED = 100  # characters of a text that is longer
DEFAULT_PORTS = {"http": 80, "https": 443}
PARTS = re.compile(r"(https?)://([a-z0-9][a-z0-9._-]*|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?(/.*)?", re.IGNORECASE)
SEGMENT = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*")
NEVER_IN_A_SEGMENT = re.compile(rb"[\x00-\x1f\x7f/\\]")  # once its percent signs are resolved


def web_address(text: str, what: str, example: str) -> str:
    """The address without blanks around it and slashes at its end, host in lower case, no port where it is the usual.

    what: what is to be there, "a language model". Raises HRVError that quotes the text, its fault, the form and an
    example; a user and a password are left out of the quote.
    """
    address = text.strip()
    fault = _fault(address)
    if fault:
        quoted = re.sub(r"//[^/]*@", "//...@", address)
        quoted = quoted if len(quoted) <= QUOTED else f"{quoted[:QUOTED]}..."
        raise HRVError(f'"{quoted}" is no address of {what}: {fault}. Write {FORM}, e.g. {example}.')
    parts = PARTS.fullmatch(address)
    assert parts is not None
    scheme, host, port, path = parts.groups(default="")
    scheme = scheme.lower()
    colon = f":{int(port)}" if port and int(port) != DEFAULT_PORTS[scheme] else ""
    return f"{scheme}://{host.lower()}{colon}{path}".rstrip("/")


def below(address: str, *names: str) -> str:
    """The address of something inside a folder: every name is one step down, whatever characters it has."""
    if any(name in ("", ".", "..") for name in names):
        raise ValueError(f"no names of things in a folder: {names}")
    return "/".join([address, *(quote(name, safe="") for name in names)])


def _fault(address: str) -> str:
    """Why a text is no address, "" if it is one."""
    if not address:
        return "there is nothing"
    if len(address) > LONGEST:
        return f"it has {len(address)} characters"
    if not address.lower().startswith(("http://", "https://")):
        return "it does not begin with http:// or https://"
    if not (address.isascii() and address.isprintable()) or " " in address:
        return "it has a space, a control character or a letter that an address has to write as %.. or xn--"
    for forbidden in "\\?#":
        if forbidden in address:
            return f'it has a "{forbidden}"'
    if "@" in address.split("/")[2]:
        return "it has a user or password before the host"
    parts = PARTS.fullmatch(address)
    if parts is None or not _is_host(parts[2]):
        return "there is no host after //, or none that can be"
    if parts[3] and not 0 < int(parts[3]) < 2**16:
        return f"its port {parts[3]} is not within 1 to 65535"
    wrong = [segment for segment in (parts[4] or "").split("/") if not _is_segment(segment)]
    return f'its path has "{wrong[0]}"' if wrong else ""


def _is_host(host: str) -> bool:
    if not host.startswith("["):
        return all(0 < len(label) < 64 for label in host.removesuffix(".").split("."))
    try:
        IPv6Address(host[1:-1])
    except AddressValueError:
        return False
    return True


def _is_segment(text: str) -> bool:
    """Whether a part of a path is a name: no step upwards, no other separator, in whatever spelling."""
    name = unquote_to_bytes(text)
    upwards = name.partition(b";")[0] in (b".", b"..")
    return not upwards and SEGMENT.fullmatch(text) is not None and not NEVER_IN_A_SEGMENT.search(name)
