"""Follows a stream with `httpx-sse`, and prints each event as a line of JSON."""

import json
import sys
import time

import httpx
from httpx_sse import connect_sse

url, token = sys.argv[1:]
headers = {"Authorization": f"Bearer {token}"}
with httpx.Client(timeout=30, trust_env=False) as client:
    while True:
        try:
            with connect_sse(client, "GET", url, headers=headers) as source:
                for event in source.iter_sse():
                    if event.id:
                        headers["Last-Event-ID"] = event.id
                    if event.data:  # A block without any, such as a bare `retry:`, is told as well.
                        print(json.dumps({"event": event.event, "data": json.loads(event.data)}))
        except httpx.TransportError as error:
            print(error, file=sys.stderr)
        time.sleep(0.1)
