# A WebSocket client: prints the echo of a message, or the error. Arguments: the URL, then options
# of create_connection as NAME=VALUE.
import sys
import websocket

options = dict(o.split("=", 1) for o in sys.argv[2:])
try:
    socket = websocket.create_connection(sys.argv[1], timeout=5, **options)
    for text in ("python", "x" * 100000):
        socket.send(text)
        print(socket.recv()[:40])
    socket.close()
except Exception as error:
    print("failed", type(error).__name__, str(error).replace("\n", " "))
