"""Prints what a URL brings, with httpx. The environment tells the proxy."""
import sys

import httpx

answer = httpx.get(sys.argv[1], timeout=20)
sys.stdout.write(answer.text)
answer.raise_for_status()
