"""The page of ``det-inception serve`` in headless Chromium, which is asked over its debugging pipe; else skipped."""

import json
import os
import shutil
import subprocess
import threading
import time

import cv2
import numpy as np
import pytest
from inference.test_server import DETECTIONS, FakeDetector

from det_inception.inference.server import DetectionServer

CHROMIUM = shutil.which('chromium') or shutil.which('google-chrome')
pytestmark = pytest.mark.skipif(CHROMIUM is None or os.name != 'posix', reason='there is no Chromium')


class Browser:
    """One tab."""

    def __init__(self, profile):
        inward, self.out = os.pipe()
        self.into, outward = os.pipe()

        def connect():  # Chromium reads from 3 and writes to 4.
            spare = [os.dup(number) for number in (inward, outward)]
            for number, place in zip(spare, (3, 4)):
                os.dup2(number, place)

        options = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars']
        self.process = subprocess.Popen(
            [CHROMIUM, *options, f'--user-data-dir={profile}', '--remote-debugging-pipe', 'about:blank'],
            preexec_fn=connect,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(inward)
        os.close(outward)
        self.number, self.session, self.left, self.problems = 0, None, b'', []
        target = self.ask('Target.createTarget', url='about:blank')['targetId']
        self.session = self.ask('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'DOM'):
            self.ask(f'{domain}.enable')

    def ask(self, method, **params):
        self.number += 1
        message = dict(id=self.number, method=method, params=params)
        if self.session:
            message['sessionId'] = self.session
        os.write(self.out, json.dumps(message).encode() + b'\0')
        while True:
            while b'\0' not in self.left:
                part = os.read(self.into, 1 << 16)
                assert part, 'Chromium has gone'
                self.left += part
            line, self.left = self.left.split(b'\0', 1)
            answer = json.loads(line)
            entry = answer.get('params', {}).get('entry', {})
            if answer.get('method') == 'Runtime.exceptionThrown' or entry.get('level') == 'error':
                self.problems.append(answer['params'])
            if answer.get('id') == self.number:
                assert 'error' not in answer, answer
                return answer['result']

    def run(self, script):
        answer = self.ask('Runtime.evaluate', expression=script, returnByValue=True, awaitPromise=True)
        assert 'exceptionDetails' not in answer, answer
        return answer['result'].get('value')

    def wait(self, script, seconds=60):
        deadline = time.monotonic() + seconds
        while not (found := self.run(script)):
            assert time.monotonic() < deadline, (script, self.run('document.body.innerText'))
            time.sleep(0.05)
        return found

    def choose(self, path):
        root = self.ask('DOM.getDocument')['root']['nodeId']
        node = self.ask('DOM.querySelector', nodeId=root, selector='#file')['nodeId']
        self.ask('DOM.setFileInputFiles', files=[str(path)], nodeId=node)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.out)
        os.close(self.into)


@pytest.fixture
def browser(tmp_path):
    browser = Browser(tmp_path / 'profile')
    yield browser
    browser.close()


def test_the_page(browser, tmp_path):
    image = np.full((90, 140, 3), 90, np.uint8)
    cv2.imwrite(str(tmp_path / 'photo.png'), image)
    (tmp_path / 'text.png').write_text('no image')
    with DetectionServer(port=0, score=0.4) as server:
        server.detector = FakeDetector()
        threading.Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.02), daemon=True).start()
        browser.ask('Emulation.setDeviceMetricsOverride', width=390, height=800, deviceScaleFactor=1, mobile=True)
        browser.ask('Page.navigate', url=server.address)
        browser.wait('document.readyState == "complete" && document.querySelector("#classes")?.textContent')
        assert browser.run('document.querySelector("#classes").textContent') == ', '.join(DETECTIONS.classes)
        assert browser.run('document.querySelector("#value").textContent') == '0.40'

        browser.choose(tmp_path / 'photo.png')
        rows = '[...document.querySelectorAll("tbody tr")].map(row => row.cells[0].textContent)'
        browser.wait('document.querySelector("#said").textContent == "2 found"')
        assert browser.run(rows) == ['owl <b>', 'cat']
        canvas = 'document.querySelector("canvas")'
        assert browser.run(f'[{canvas}.width, {canvas}.height, {canvas}.hidden]') == [140, 90, False]
        # A box of the class's color where it was found, and the photo where nothing was.
        assert browser.run(f'[...{canvas}.getContext("2d").getImageData(120, 80, 1, 1).data]') == [90, 90, 90, 255]
        assert browser.run(f'[...{canvas}.getContext("2d").getImageData(50, 48, 1, 1).data]') != [90, 90, 90, 255]

        move = 'const s = document.querySelector("#score"); s.value = {}; s.dispatchEvent(new Event("input"));'
        browser.run('{' + move.format(0.05) + '}')
        assert browser.run(rows) == ['owl <b>', 'cat', 'dog']
        browser.run('{' + move.format(0.95) + '}')
        assert browser.run(rows) == [] and 'Nothing found' in browser.run('document.body.innerText')
        # Nothing is wider than a phone.
        assert browser.run('document.documentElement.scrollWidth') <= 390
        assert browser.problems == []

        browser.choose(tmp_path / 'text.png')
        said = browser.wait('document.querySelector("#said.error")?.textContent')
        assert 'no image that OpenCV or Pillow can read' in said
        server.shutdown()
