#!/usr/bin/env python3
"""Does a job of the studio suffer from those who look at it? Exit code 1 if one of them is told of an error.

    cargo build --release --locked
    python3 benches/studio.py --bin target/release/brickwork

Cuts one component of the demo's garments several times, in turns with nobody looking and with 32 clients, half of
which hold the stream of events, while the others load the page four times a second. Prints the times and their ratio.
"""
import argparse
import http.client
import json
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.parse


class Studio:
    def __init__(self, program, folder):
        command = [program, "studio", folder, "--no-open", "--port", "0", "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        said = ""
        while not said.endswith("}\n"):
            said += self.process.stdout.readline()
        address = urllib.parse.urlparse(json.loads(said)["address"])
        self.host = address.netloc
        token = urllib.parse.parse_qs(address.query)["token"][0]
        self.headers = {"Cookie": f"brickwork-studio={token}", "Origin": f"http://{self.host}"}

    def ask(self, method, path, form=None):
        """The code, where to go, and the page."""
        connection = http.client.HTTPConnection(self.host, timeout=600)
        body = form and urllib.parse.urlencode(form)
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        connection.request(method, path, body, {**self.headers, **kind})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.getheader("Location"), text

    def begin(self, name):
        form = [("model", "garments.onnx"), ("data", "data/garments"), ("size", "relevant"), ("name", name)]
        form += [("class", str(k)) for k in (1, 3, 4)]
        code, place, text = self.ask("POST", "/apart", form)
        assert code == 303, text
        return place

    def is_over(self, place):
        text = self.ask("GET", place)[2]
        assert "state failed" not in text, text
        return "state done" in text


def look(studio, place, streams, stop, errors):
    """Looks at a job until it is told to stop."""
    while not stop.is_set():
        try:
            code = studio.ask("GET", place + "/events" if streams else place)[0]
            if code != 200:
                errors.append(code)
        except OSError as error:
            errors.append(error)
        stop.wait(0.25)


def seconds(studio, name, clients):
    """How long a cut takes, and what went wrong for those who looked."""
    start = time.monotonic()
    place = studio.begin(name)
    stop, errors = threading.Event(), []
    watching = [
        threading.Thread(target=look, args=(studio, place, k % 2 == 0, stop, errors), daemon=True)
        for k in range(clients)
    ]
    for thread in watching:
        thread.start()
    while not studio.is_over(place):
        time.sleep(0.1)
    taken = time.monotonic() - start
    stop.set()
    for thread in watching:
        thread.join()
    return taken, errors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="target/release/brickwork")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=32)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(options.bin, folder)
        try:
            # The first one finds out what channels do, which is then known.
            seconds(studio, "first", 0)
            alone, watched, errors = [], [], []
            for k in range(options.rounds):
                alone.append(seconds(studio, f"alone-{k}", 0)[0])
                taken, wrong = seconds(studio, f"watched-{k}", options.clients)
                watched.append(taken)
                errors += wrong
        finally:
            studio.process.terminate()
            studio.process.wait()
    print(f"alone    {min(alone):.2f} s (median {statistics.median(alone):.2f})")
    print(f"watched  {min(watched):.2f} s (median {statistics.median(watched):.2f}) by {options.clients}")
    print(f"ratio    {min(watched) / min(alone):.2f} of the best, {len(errors)} errors")
    raise SystemExit(bool(errors))


if __name__ == "__main__":
    main()
