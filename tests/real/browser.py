#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Opens a page of memhook report in a headless Chromium and uses it as people
do: with the mouse, with the keyboard, on a phone, in the dark, on paper.

    browser.py PAGE.html [FOLDER FOR SCREENSHOTS]

Speaks the DevTools protocol over two pipes, so that no port is open."""
import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile


class Browser:
    def __init__(self, profile):
        to_read, self.to = os.pipe()
        self.come, to_write = os.pipe()

        def arrange():
            keep = os.dup(to_read), os.dup(to_write)
            os.dup2(keep[0], 3)
            os.dup2(keep[1], 4)
        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
             "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=arrange, close_fds=False, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.number = 0
        self.buffer = b""
        self.events = []
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        for domain in "Page", "Runtime", "Network", "Log":
            self.call(domain + ".enable")

    def message(self):
        while b"\0" not in self.buffer:
            piece = os.read(self.come, 1 << 20)
            if not piece:
                sys.exit("FAIL: the browser is gone")
            self.buffer += piece
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.to, json.dumps(request).encode() + b"\0")
        while True:
            answer = self.message()
            if answer.get("id") != self.number:
                self.events.append(answer)
            elif "error" in answer:
                sys.exit(f"FAIL: {method}: {answer['error']}")
            else:
                return answer["result"]

    def open(self, url):
        self.events.clear()
        self.call("Page.navigate", url=url)
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self.message())

    def js(self, expression):
        result = self.call("Runtime.evaluate", expression=expression,
                           returnByValue=True)
        if "exceptionDetails" in result:
            sys.exit(f"FAIL: {expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def mouse(self, kind, x, y):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left",
                  buttons=1 if kind != "mouseReleased" else 0, clickCount=1)

    def key(self, key, code=0, text=""):
        for kind in "keyDown", "keyUp":
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, text=text
                      if kind == "keyDown" else "", windowsVirtualKeyCode=code)

    def screen(self, width, height, dark=False, media="screen"):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 500)
        self.call("Emulation.setEmulatedMedia", media=media, features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def shot(self, path):
        picture = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        pathlib.Path(path).write_bytes(base64.b64decode(picture["data"]))

    def problems(self):
        found = []
        for e in self.events:
            params = e.get("params", {})
            if e.get("method") == "Runtime.exceptionThrown":
                found.append(params["exceptionDetails"])
            elif e.get("method") == "Log.entryAdded":
                found.append(params["entry"])
            elif e.get("method") == "Network.requestWillBeSent" and \
                    params["request"]["url"] != self.url:
                found.append("asked for " + params["request"]["url"])
        return found


def check(condition, what):
    if not condition:
        print("FAIL:", what)
        check.failed = 1


check.failed = 0


def luminance(color):
    parts = [int(p) / 255 for p in color[4:-1].split(",")[:3]]
    parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def check_contrast(b, mode):
    """Text of each element that has some against what is behind it."""
    pairs = b.js("""(() => {
        const pairs = [], paper = getComputedStyle(document.body).backgroundColor;
        for (const e of document.querySelectorAll('h1, p, label, th, td, button, .value, .name,'
                + ' svg text')) {
            const style = getComputedStyle(e);
            let back = paper;
            if (e.matches('.on-cell'))
                back = getComputedStyle(e.parentNode.querySelector('rect')).fill;
            pairs.push([e.closest('svg') ? style.fill : style.color, back]);
        }
        return [...new Set(pairs.map(p => p.join('|')))].map(p => p.split('|'));
    })()""")
    check(len(pairs) > 1, f"{mode}: no text to look at")
    for text, back in pairs:
        light, dark = sorted((luminance(text), luminance(back)), reverse=True)
        contrast = (light + 0.05) / (dark + 0.05)
        check(contrast >= 4.5, f"{mode}: {text} on {back}: contrast {contrast:.2f}")


def names(b):
    return b.js("[...document.querySelectorAll('#owners tbody th .text')]"
                ".map(e => e.textContent)")


def use_mouse(b):
    box = b.js("(r => [r.left, r.top, r.width, r.height])"
               "(document.querySelector('#chart svg').getBoundingClientRect())")
    left, top, width, height = box
    b.mouse("mousePressed", left + width * 0.4, top + height / 2)
    b.mouse("mouseMoved", left + width * 0.5, top + height / 2)
    b.mouse("mouseMoved", left + width * 0.7, top + height / 2)
    b.mouse("mouseReleased", left + width * 0.7, top + height / 2)
    start, end, last = (int(b.js(f"document.getElementById('{x}')")) for x in
                        ("from').value + ('", "to').value + ('", "to').max + ('"))
    check(0 < start < end < last, f"the mouse chose {start} to {end} of {last}")
    growth = b.js("document.getElementById('growth-about').textContent")
    check("live bytes" in growth, "what grew is not said")
    check("live" in b.js("document.getElementById('readout').textContent"), "no readout")


def use_keyboard(b):
    """From the first element on with the tabulator: all of it can be reached."""
    b.js("document.activeElement.blur(); scrollTo(0, 0)")
    reached = set()
    for _ in range(40):
        b.key("Tab", 9)
        reached.add(b.js("(e => e.id || e.className || e.textContent.slice(0, 40))"
                          "(document.activeElement)"))
    rss = b.js("document.getElementById('rss').offsetParent !== null")
    for wanted in ["from", "to", "search", "scroll"] + rss * ["rss"]:
        check(wanted in reached, f"the keyboard does not reach {wanted}: {reached}")
    before = b.js("document.getElementById('from').value")
    b.js("document.getElementById('from').focus()")
    b.key("ArrowRight", 39)
    after = b.js("document.getElementById('from').value")
    check(int(after) == int(before) + 1, f"an arrow moved the moment from {before} to {after}")
    check(b.js("document.getElementById('from').getAttribute('aria-valuetext')"),
          "a moment is not said")


def use_table(b):
    every = names(b)
    check(every, "the table is empty")
    b.js("document.querySelector('#owners button[data-key=name]').focus()")
    b.key("Enter", 13, "\r")
    check(b.js("document.querySelector('#owners th[aria-sort=ascending] button').dataset.key")
          == "name", "the keyboard does not sort")
    check(names(b) != every or len(every) == 1, "sorting does nothing")
    ordered = names(b)
    b.js("document.getElementById('search').focus()")
    b.call("Input.insertText", text=every[0])
    found = b.js("document.getElementById('found').textContent").split(" of ")
    check(len(found) == 2 and 0 < int(found[0]) < int(found[1]), f"searching found {found}")
    check(every[0] in names(b), "searching does not find")
    b.js("s = document.getElementById('search'); s.value = '';"
         "s.dispatchEvent(new Event('input'))")
    check(names(b) == ordered, "the search does not end")


def choose_processes(b):
    """With the keyboard; what is shown are those that a run has."""
    every = b.js("[...document.querySelectorAll('#run option')].map(o => o.textContent)")
    check(every[0].startswith("all ") and len(every) == int(every[0].split()[1]) + 1,
          f"these are to choose from: {every}")
    check(b.js("document.getElementById('run').value") == "0", "not all are shown at first")
    for name in names(b):
        check(any(name in title for title in every[1:]), f"{name} cannot be chosen")
    for title in every[1:]:
        b.js("document.getElementById('run').focus()")
        b.key("ArrowDown", 40)
        shown = b.js("document.querySelector('h1').textContent")
        check(shown in title, f"{title!r} shows {shown}")
        check(b.js("document.querySelectorAll('#chart .band').length") > 0 and
              b.js("document.querySelectorAll('#bridge .whole').length") == 1,
              f"{title!r}: nothing is drawn")
    b.js("s = document.getElementById('run'); s.value = 0;"
         "s.dispatchEvent(new Event('change'))")


def main():
    page = pathlib.Path(sys.argv[1]).resolve()
    folder = sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory() as profile:
        b = Browser(profile)
        b.url = page.as_uri()
        for mode, width, dark, media in (("light", 1100, False, "screen"),
                                         ("dark", 1100, True, "screen"),
                                         ("phone", 375, False, "screen"),
                                         ("print", 720, True, "print")):
            b.screen(width, 900, dark, media)
            b.open(b.url)
            check(b.js("document.querySelectorAll('#chart .band').length") > 0,
                  f"{mode}: no chart")
            check(b.js("document.querySelectorAll('#map .cell').length") > 0,
                  f"{mode}: no treemap")
            workers = b.js("data.runs.some(run => run.role === 'all')")
            check(b.js("document.querySelectorAll('#bridge .whole').length") == (not workers),
                  f"{mode}: no bridge, or one of several processes")
            wide = b.js("document.documentElement.scrollWidth - innerWidth")
            check(wide <= 0, f"{mode}: wider than the screen by {wide}")
            check_contrast(b, mode)
            if mode == "light":
                use_mouse(b)
                use_keyboard(b)
                use_table(b)
                if workers:
                    choose_processes(b)
            if folder:
                b.shot(f"{folder}/{page.stem}-{mode}.png")
            check(not b.problems(), f"{mode}: {b.problems()}")
        # On paper it is light, whatever the screen is.
        check(b.js("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)",
              "the paper is dark")
        b.session = None
        b.call("Browser.close")
        b.process.wait()
    sys.exit(check.failed)


main()
