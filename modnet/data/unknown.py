"""What is said of a data file that nothing here reads: what it looks like, what reads it, how to convert it."""

from __future__ import annotations

from collections.abc import Iterable

from modnet.data.readers.arrays import is_idx
from modnet.data.readers.sqlite import MARK
from modnet.data.source import Source
from modnet.words import show

PLUGIN = "modnet-tables"

FOLDER = (
    "expected a file, found a folder, with nothing in it that an installed plugin reads; images in a folder for each "
    f"class, and Parquet in parts, are read with:  pip install '{PLUGIN}[images,parquet]'"
)

READ_BY_PLUGIN = {
    "parquet": (".parquet", ".pq", ".feather", ".arrow", ".arrows", ".ipc"),
    "excel": (".xlsx", ".xlsm"),
    "spreadsheets": (".xls", ".xlsb", ".ods"),
    "images": (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"),
}
"""Extra of the plugin -> the endings of the files that it reads."""

PANDAS = "import pandas; pandas.{call}.to_csv('{stem}.csv', index=False)"

CONVERTED_BY = {
    ".sas7bdat": ("SAS", "read_sas('{file}')"),
    ".xpt": ("SAS", "read_sas('{file}')"),
    ".dta": ("Stata", "read_stata('{file}')"),
    ".sav": ("SPSS", "read_spss('{file}')"),
    ".orc": ("ORC", "read_orc('{file}')"),
    ".xml": ("XML", "read_xml('{file}')"),
    ".html": ("HTML", "read_html('{file}')[0]"),
    ".htm": ("HTML", "read_html('{file}')[0]"),
    ".h5": ("HDF5", "read_hdf('{file}')"),
    ".hdf5": ("HDF5", "read_hdf('{file}')"),
    ".hdf": ("HDF5", "read_hdf('{file}')"),
    ".pkl": ("Python's pickle", "read_pickle('{file}')"),
    ".pickle": ("Python's pickle", "read_pickle('{file}')"),
}
"""Ending -> whose format it is, and the function of pandas that reads it."""

CONVERTED_BY_R = {".rds": "readRDS('{file}')", ".rda": "get(load('{file}'))", ".rdata": "get(load('{file}'))"}

OTHERWISE = {
    ".mat": "MATLAB's format: scipy.io.loadmat reads it; write its arrays with numpy.savez",
    ".pt": "PyTorch's format: write its tensors with numpy.savez",
    ".zst": "compressed by Zstandard: unpack it with zstd -d",
    ".7z": "a 7-Zip archive: unpack it first",
    ".rar": "a RAR archive: unpack it first",
    ".tar": "a tar archive: unpack it first",
    ".tgz": "a tar archive: unpack it first",
    ".modnet": "a model file; expected data",
    ".toml": "a spec; expected data",
    ".avro": "Avro: fastavro reads it; write its records as JSON lines",
    ".arff": "Weka's format: scipy.io.arff reads it; write it as csv",
    ".numbers": "a workbook of Apple Numbers: export it as .xlsx or .csv",
    ".gsheet": "a link to Google Sheets: download it as .xlsx or .csv",
}

LOOKS = (
    (b"PAR1", "Parquet", ".parquet"),
    (b"ARROW1", "Arrow IPC (Feather)", ".feather"),
    (MARK, "a SQLite database", ".sqlite"),
    (b"\x93NUMPY", "an array in numpy's format", ".npy"),
    (b"\x89HDF", "HDF5", ".h5"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", ".xls"),
    (b"%PDF", "a PDF document", ""),
    (b"\x89PNG", "a picture", ".png"),
    (b"\xff\xd8\xff", "a picture", ".jpg"),
    (b"<!DOCTYPE", "a web page", ".html"),
    (b"<html", "a web page", ".html"),
    (b"<?xml", "XML", ".xml"),
    (b"\x28\xb5\x2f\xfd", "a file compressed by Zstandard", ".zst"),
)
"""First bytes, whose they are, and the ending that such files have."""


def looks_like(begin: bytes, members: Iterable[str] = ()) -> tuple[str, str]:
    """What a file that begins so seems to be, in words, and the ending that it should have; both "" if not known.

    Args:
        members: the names in it, if it is a zip archive.
    """
    if found := _looks_like_archive(set(members)):
        return found
    for mark, words, ending in LOOKS:
        if begin.startswith(mark):
            return words, ending
    return ("IDX, the format of MNIST", ".idx") if is_idx(begin) else _looks_like_text(begin)


def _looks_like_archive(names: set[str]) -> tuple[str, str] | None:
    if "xl/workbook.xml" in names:
        return "an Excel workbook", ".xlsx"
    if "xl/workbook.bin" in names:
        return "an Excel workbook", ".xlsb"
    if "content.xml" in names:
        return "a workbook of OpenDocument", ".ods"
    return ("arrays of numpy", ".npz") if names and all(name.endswith(".npy") for name in names) else None


def _looks_like_text(begin: bytes) -> tuple[str, str]:
    text = begin.decode("utf-8-sig", "ignore")
    if b"\0" in begin or not text.strip() or not "".join(text.split()).isprintable():
        return "", ""
    start = text.lstrip()[:1]
    if start == "{":
        return "JSON", ".jsonl" if "}\n" in text or "}\r\n" in text else ".json"
    return ("JSON", ".json") if start == "[" else ("text", ".csv")


def advice_for_address(address: str) -> str:
    """What to do about an address that nothing reads."""
    scheme = address.partition("://")[0].lower()
    if scheme in ("http", "https", "ftp", "s3", "gs", "az", "file"):
        return f"no installed plugin reads {scheme} addresses; download the file, and give its path"
    return f"no installed plugin reads {scheme} addresses; for databases:  pip install '{PLUGIN}[sql]'"


def advice_for(source: Source, begin: bytes, members: Iterable[str] = ()) -> str:
    """What to do about a file of an unknown kind: what reads it, or how to convert or rename it."""
    ending = "." + source.name.rpartition(".")[2] if "." in source.name else ""
    for extra, endings in READ_BY_PLUGIN.items():
        if ending in endings:
            return f"{PLUGIN} reads {ending} files:  pip install '{PLUGIN}[{extra}]'"
    file = source.path.name
    if ending in CONVERTED_BY:
        kind, call = CONVERTED_BY[ending]
        command = PANDAS.format(call=call.format(file=file), stem=source.path.stem)
        return f'it is {kind}\'s format; convert it:  python -c "{command}"'
    if ending in CONVERTED_BY_R:
        call = CONVERTED_BY_R[ending].format(file=file)
        call = f"write.csv({call}, '{source.path.stem}.csv', row.names=FALSE)"
        return f'it is R\'s format; convert it:  Rscript -e "{call}"'
    if ending in OTHERWISE:
        return f"it is {OTHERWISE[ending]}"
    words, right = looks_like(begin, members)
    return f"it looks like {words}; if it is, name it {show(source.path.stem + right)}" if right else ""
