"""Prints what a URL brings, with requests. The environment tells the proxy."""
import sys

import requests

answer = requests.get(sys.argv[1], timeout=20)
sys.stdout.write(answer.text)
answer.raise_for_status()
