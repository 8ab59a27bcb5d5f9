"""Workbooks: where the table lies in its sheet, what its values are, and what is refused."""

import datetime
import zipfile
from types import SimpleNamespace

import pytest
from modnet_tables.sheets import table_of

import modnet
from modnet.data.files import read
from modnet.data.options import ReadOptions
from modnet.data.table import Table
from modnet.datasets.read import foreign_reader

openpyxl = pytest.importorskip("openpyxl")

DAY = datetime.datetime(2024, 2, 29)
ROWS = [
    ["name", "mass", "wild", "day", "code"],
    ["a", 1, True, DAY, "007"],
    [None, None, None, None, None],
    ["c", 2.5, False, datetime.datetime(1999, 12, 31, 6), "7"],
    ["d", None, None, None, "NA"],
]
EXPECTED = {
    "name": ["a", "c", "d"],
    "mass": ["1", "2.5", None],
    "wild": ["true", "false", None],
    "day": ["2024-02-29", "1999-12-31 06:00:00", None],
    "code": ["007", "7", "NA"],
}


def read_plugin(path, **options):
    return read(path, [foreign_reader()], options=ReadOptions(**options))


def workbook(path, **sheets):
    """A workbook; a name that begins with _ is that of a hidden sheet."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        sheet.sheet_state = "hidden" if name.startswith("_") else "visible"
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def values(table):
    return {
        name: [None if gap else column.text(row) for row, gap in enumerate(column.gaps.tolist())]
        for name, column in table.columns.items()
    }


def test_types_and_gaps(tmp_path):
    table = read_plugin(workbook(tmp_path / "a.xlsx", Sheet1=ROWS))
    assert values(table) == EXPECTED
    assert [column.type for column in table.columns.values()] == ["text", "number", "boolean", "date", "text"]
    assert table.notes == ()
    assert table.place(1, "mass").endswith("a.xlsx: row 2 (line 4), column mass")


def test_a_table_of_modnet_and_of_pandas_and_polars(tmp_path):
    wanted = Table({"a": [1, None], "b": ["x", "y"], "c": [True, None], "d": [DAY, None]})
    assert modnet.default_registry().hooks.hook.modnet_write_data(table=wanted, path=tmp_path / "a.xlsx")
    assert values(read_plugin(tmp_path / "a.xlsx")) == values(wanted)
    frame = pytest.importorskip("pandas").DataFrame({"a": [1, 2], "b": ["x", None], "d": [DAY, None]})
    frame.to_excel(tmp_path / "b.xlsx", index=False)
    assert values(read_plugin(tmp_path / "b.xlsx")) == {"a": ["1", "2"], "b": ["x", None], "d": ["2024-02-29", None]}
    frame.to_excel(tmp_path / "c.xlsx")
    found = read_plugin(tmp_path / "c.xlsx")
    assert (list(found.columns), found.notes) == (
        ["index", "a", "b", "d"],
        ('column 1 has no name; it is called "index"',),
    )


def test_titles_remarks_and_edges_are_left_out_and_said(tmp_path):
    rows = [
        ["Report of the year", None, None, None],
        [None] * 4,
        [None, "name", "mass", "size"],
        [None, "a", 1, 2],
        [None, "b", 3, 4],
        [None] * 4,
        [None, "Source: our own work"],
    ]
    table = read_plugin(workbook(tmp_path / "a.xlsx", Data=rows))
    assert values(table) == {"name": ["a", "b"], "mass": ["1", "3"], "size": ["2", "4"]}
    assert table.notes == (
        'row 1: no row of the table, left out: "Report of the year"',
        'row 7: no row of the table, left out: "Source: our own work"',
    )


def test_a_cell_over_several_columns_above_the_names(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Measured", None, None])
    sheet.merge_cells("A1:C1")
    for row in (["a", "b", "c"], [1, 2, 3], [4, 5, 6]):
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    assert list(read_plugin(tmp_path / "a.xlsx").columns) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("rows", "names", "note"),
    [
        ([["a", "a", "b"], [1, 2, 3]], ["a", "a_2", "b"], 'columns 1 and 2 are both called "a"; the second is "a_2"'),
        ([["a", None, "b"], [1, 2, 3]], ["a", "column_2", "b"], 'column 2 has no name; it is called "column_2"'),
        ([["a", None, "b"], [1, None, 3]], ["a", "b"], None),
        ([[" a\n b ", 2019, 2020.0], [1, 2, 3]], ["a b", "2019", "2020"], None),
        ([[0, 1, 2], [5, 6, 7]], ["0", "1", "2"], None),
        (
            [[1.5, 2.5], [3.5, 4.5]],
            ["column_1", "column_2"],
            "the columns are called column_1, column_2, ..., because the",
        ),
        ([["only"], [1], [2]], ["only"], None),
    ],
)
def test_names_of_columns(rows, names, note):
    table = table_of(rows, "a.xlsx", ReadOptions())
    assert list(table.columns) == names
    assert [found.startswith(note) for found in table.notes] == ([True] if note else [])


def test_the_line_of_the_names_may_be_given():
    rows = [["x", "y"], ["m", "kg"], [1, 2]]
    assert values(table_of(rows, "a", ReadOptions(header=2))) == {"m": ["1"], "kg": ["2"]}
    assert list(table_of(rows, "a", ReadOptions(header=0)).columns) == ["column_1", "column_2"]
    with pytest.raises(modnet.DataError, match="header = 9, but that row is empty or does not exist"):
        table_of(rows, "a", ReadOptions(header=9))


def test_errors_of_formulas_are_missing_values():
    table = table_of([["a", "b"], [1, "#DIV/0!"], ["#N/A", 2]], "a", ReadOptions())
    assert values(table) == {"a": ["1", None], "b": [None, "2"]}
    assert table.columns["a"].type == "number"
    assert table.notes == ("2 cells with an error, such as #N/A, are missing",)


def test_times_and_durations():
    rows = [["a", "b"], [datetime.time(7, 30), datetime.timedelta(hours=30)]]
    assert values(table_of(rows, "a", ReadOptions())) == {"a": ["07:30:00"], "b": ["108000"]}


def test_which_sheet(tmp_path):
    path = workbook(tmp_path / "a.xlsx", _Old=[["x"], [1]], Empty=[], Data=[["y"], [1]], Other=[["z"], [1]])
    table = read_plugin(path)
    assert list(table.columns) == ["y"]
    assert table.notes == ('sheet "Data" is read, not "_Old", "Empty", "Other"',)
    assert list(read_plugin(path / "Other").columns) == ["z"]
    for wanted, name in (("Other", "z"), (" other", "z"), (4, "z"), ("4", "z"), ("_Old", "x")):
        assert list(read_plugin(path, sheet=wanted).columns) == [name]
    for wanted, message in (
        ("Othr", 'no sheet "Othr"; did you mean "Other"?'),
        ("May", 'no sheet "May"; it has _Old, Empty, Data, Other'),
        (5, "sheet = 5, but it has 4 sheets"),
        ("Empty", "an empty sheet; expected the names of the columns, then rows"),
    ):
        with pytest.raises(modnet.DataError) as caught:
            read_plugin(path, sheet=wanted)
        assert message in str(caught.value)
    with pytest.raises(modnet.DataError, match="a workbook without a table"):
        read_plugin(workbook(tmp_path / "b.xlsx", Empty=[]))


def test_of_formulas_the_last_results_count(tmp_path):
    path = workbook(tmp_path / "a.xlsx", Sheet1=[["a", "b"], [1, "=A2*2"]])
    assert read_plugin(path).notes == ("without a result: the formulas of b; open the workbook in Excel and save it",)
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    sheet = "xl/worksheets/sheet1.xml"
    members[sheet] = members[sheet].replace(b"<v />", b"<v>2</v>").replace(b"<v></v>", b"<v>2</v>")
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert values(read_plugin(path)) == {"a": ["1"], "b": ["2"]}


def test_what_is_no_workbook(tmp_path, monkeypatch):
    path = tmp_path / "a.xlsx"
    for contents, message in (
        (b"x,y\n1,2\n", "not a workbook of Excel, or a damaged one: File is not a zip file"),
        (b"\xd0\xcf\x11\xe0\xa1", "protected by a password, or an old workbook"),
    ):
        path.write_bytes(contents)
        with pytest.raises(modnet.DataError, match=message):
            read_plugin(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(modnet.DataError, match="not a workbook of Excel, or a damaged one"):
        read_plugin(path)
    monkeypatch.setattr("modnet.data.source.SMALL", 1 << 10)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * (1 << 20))
    with pytest.raises(modnet.DataError, match=r"bytes unpack to [\d,]+ or more, over 100 times as many"):
        read_plugin(path)


def test_damaged_workbooks(tmp_path):
    whole = workbook(tmp_path / "whole.xlsx", Sheet1=ROWS * 20).read_bytes()
    path = tmp_path / "a.xlsx"
    for place in range(0, len(whole), 97):
        path.write_bytes(whole[:place] + bytes((whole[place] ^ 0x55,)) + whole[place + 1 :])
        assert str(path) in fault_of(path)
        path.write_bytes(whole[:place])
        assert str(path) in fault_of(path)


def fault_of(path):
    """What is said of a file that cannot be read; of another one its name."""
    try:
        read_plugin(path)
    except modnet.DataError as error:
        return str(error)
    return str(path)


# Other workbooks


ODS = """<?xml version="1.0" encoding="UTF-8"?><office:document-content
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2"><office:body><office:spreadsheet>
 <table:table table:name="Data">{rows}</table:table></office:spreadsheet></office:body></office:document-content>"""


MANIFEST = '<manifest xmlns="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'


def cell(value):
    if isinstance(value, str):
        return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
    if isinstance(value, datetime.date):
        return f'<table:table-cell office:value-type="date" office:date-value="{value.isoformat()}"/>'
    return f'<table:table-cell office:value-type="float" office:value="{value}"/>' if value else "<table:table-cell/>"


def test_open_document(tmp_path):
    pytest.importorskip("python_calamine")
    rows = [["name", "mass", "day"], ["a", 1.5, datetime.date(2024, 1, 2)], ["b", None, None]]
    text = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    with zipfile.ZipFile(tmp_path / "a.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", MANIFEST)
        archive.writestr("content.xml", ODS.format(rows=text))
    expected = {"name": ["a", "b"], "mass": ["1.5", None], "day": ["2024-01-02", None]}
    assert values(read_plugin(tmp_path / "a.ods")) == expected


def test_both_libraries_find_the_same_table(tmp_path):
    pytest.importorskip("python_calamine")
    from modnet_tables import spreadsheets

    rows = [["Title", None], *ROWS, ["e", None, None, None, "x"]]
    path = workbook(tmp_path / "a.xlsx", Sheet1=rows, Other=[["z"], [1]])
    first, second = read_plugin(path), spreadsheets.read(path, ReadOptions())
    assert values(first) == values(second)
    assert first.notes == second.notes
    with pytest.raises(modnet.DataError, match='no sheet "Z"'):
        spreadsheets.read(path, ReadOptions(sheet="Z"))


@pytest.mark.parametrize("ending", [".xls", ".xlsb", ".ods"])
def test_what_is_no_other_workbook(tmp_path, ending):
    pytest.importorskip("python_calamine")
    (tmp_path / f"a{ending}").write_bytes(b"x,y\n1,2\n")
    with pytest.raises(modnet.DataError, match="not a workbook, or a damaged one"):
        read_plugin(tmp_path / f"a{ending}")


@pytest.mark.parametrize("name", ["PanicException", "KeyboardInterrupt"])
def test_a_bug_of_the_library_is_a_fault_of_the_file_but_a_stop_is_none(tmp_path, monkeypatch, name):
    library = pytest.importorskip("python_calamine")
    raised = KeyboardInterrupt if name == "KeyboardInterrupt" else type(name, (BaseException,), {})

    def fail(path):
        raise raised("slice index starts at 4096 but ends at 3846")

    monkeypatch.setattr(library, "CalamineWorkbook", SimpleNamespace(from_path=fail))
    (tmp_path / "a.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(KeyboardInterrupt if raised is KeyboardInterrupt else modnet.DataError):
        read_plugin(tmp_path / "a.xls")
