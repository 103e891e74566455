"""Follows a stream with `sseclient-py` over `requests`, and prints each event as a line of JSON."""

import json
import sys
import time

import requests
import sseclient

url, token = sys.argv[1:]
headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
while True:
    try:
        response = requests.get(url, headers=headers, stream=True, timeout=30)
        response.raise_for_status()
        for event in sseclient.SSEClient(response).events():
            if event.id:
                headers["Last-Event-ID"] = event.id
            print(json.dumps({"event": event.event, "data": json.loads(event.data)}))
    except requests.RequestException as error:
        print(error, file=sys.stderr)
    time.sleep(0.1)
