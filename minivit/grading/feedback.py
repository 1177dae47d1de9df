"""A page for each student: points, and what to look at. No hidden input, no expected value, no foreign markup."""

from html import escape

from .kinds import said
from .reports import graded, kinds
from .students import plain
from .verdict import PASSED

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Exercise {number}: {student}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>body {{ font: 16px/1.5 sans-serif; max-width: 50em; margin: 2em auto; padding: 0 1em }}
table {{ border-collapse: collapse; width: 100% }} td, th {{ padding: .4em .8em; text-align: left;
vertical-align: top; border-bottom: 1px solid #ccc }}
.passed {{ color: #176a2c }} .other {{ color: #a11 }}</style></head>
<body><h1>Exercise {number}</h1><p>{student}: <strong>{points} of {possible} points</strong>{kinds}</p>{flags}
<table><tr><th>answer</th><th>kind</th><th>points</th><th>what happened</th><th>the first thing to look at</th></tr>
{rows}</table>
<p>Grading draws other inputs than your notebook. <code>python -m minivit check {number}</code> shows the numbers of
your own inputs, and <code>--hint</code> a hint.</p></body></html>
"""
ROW = ('<tr><td>{name}</td><td>{asks}</td><td>{points} / {possible}</td>'
       '<td class="{kind}">{status}</td><td>{outline}</td></tr>\n')


def write(folder, records):
    """Write folder/KEY.html for every record."""
    folder.mkdir(parents=True, exist_ok=True)
    for record in records:
        (folder / f"{record['key']}.html").write_text(page(record), encoding="utf-8")


def page(record):
    """The page of one record."""
    rows = "".join(ROW.format(
        name=escape(name), asks=escape(answer.get("kind", "")), points=answer["points"], possible=answer["possible"],
        status=escape(answer["status"]), kind="passed" if answer["status"] == PASSED else "other",
        outline="<br>".join(escape(plain(text)) for text in answer["outline"])) for name, answer in
        record["answers"].items())
    flags = "".join(f"<p>{escape(plain(flag))}</p>" for flag in record["flags"])
    return PAGE.format(number=escape(record["exercise"] or "unknown"), student=escape(plain(record["student"])),
                       points=record["points"] if graded(record) else "not yet", possible=record["possible"],
                       kinds=escape(f" ({said(kinds(record))})" if kinds(record) else ""), rows=rows, flags=flags)
