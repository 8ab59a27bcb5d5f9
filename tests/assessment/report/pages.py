"""Reads the pages that reports are."""

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """A page: its tags, each with its attributes; its text by section; what is not closed."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.sections, self.section = [], [], {}, ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self.section = dict(attrs)["id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"
        if tag == "section":
            self.section = ""

    def handle_data(self, data):
        if self.open[-1:] not in (["style"], ["title"]):
            self.sections[self.section] = self.sections.get(self.section, "") + f"{data} "

    def text(self, section=""):
        return re.sub(r"\s+", " ", self.sections.get(section, "")).strip()
