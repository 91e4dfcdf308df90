"""A screen as people see it: `tmux capture-pane -p -e -N` on standard input, one line for each row.

A blank that was written and one that never was look the same, and so do blanks whose colour of
writing differs: which of them is there depends on what stood there before, and when it was wiped.
"""
import re
import sys

TOKEN = re.compile("\033\\[([0-9;:]*)m|([\016\017])|(.)", re.S)
SHOWN_ON_BLANKS = {"4", "7", "9", "21", "53"}  # lines, and colours exchanged
ENDS = {"22": "1 2", "23": "3", "24": "4 21", "25": "5 6", "27": "7", "28": "8", "29": "9", "55": "53"}
COLOURS = {"38": "fg", "48": "bg", "58": "us"}


class Style:
    def __init__(self):
        self.reset()

    def reset(self):
        self.on, self.colour, self.lines = set(), {}, False

    def sgr(self, text):
        codes = text.split(";")
        while codes:
            code = codes.pop(0) or "0"
            kind = code.split(":")[0]
            if code == "0":
                lines = self.lines
                self.reset()
                self.lines = lines
            elif kind in COLOURS:
                if code == kind:  # with its values behind it: 5;N or 2;R;G;B
                    values = 2 if codes[0] == "5" else 4
                    code, codes = ":".join([code] + codes[:values]), codes[values:]
                self.colour[COLOURS[kind]] = code
            elif code in ("39", "49", "59"):
                self.colour.pop({"39": "fg", "49": "bg", "59": "us"}[code], None)
            elif re.fullmatch("(3|9)[0-7]", code):
                self.colour["fg"] = code
            elif re.fullmatch("(4|10)[0-7]", code):
                self.colour["bg"] = code
            elif code in ENDS:
                gone = ENDS[code].split()
                self.on = {o for o in self.on if o.split(":")[0] not in gone}
            else:
                self.on.add(code)

    def of(self, char):
        plain = not any(o.split(":")[0] in SHOWN_ON_BLANKS for o in self.on)
        if char == " " and plain:
            return self.colour.get("bg", "")
        return " ".join(sorted(self.on) + sorted(self.colour.values()) + ["lines"] * self.lines)


def row(style, text):
    cells = []
    for sgr, shift, char in TOKEN.findall(text):
        if shift:
            style.lines = shift == "\016"
        elif char:
            cells.append((style.of(char), char))
        else:
            style.sgr(sgr)
    while cells and cells[-1] == ("", " "):
        cells.pop()
    shown, last = "", ""
    for look, char in cells:
        shown += (f"[{look}]" if look != last else "") + char
        last = look
    return shown


style = Style()
for text in sys.stdin.buffer.read().decode("utf-8", "surrogateescape").split("\n"):
    sys.stdout.buffer.write((row(style, text) + "\n").encode("utf-8", "surrogateescape"))
