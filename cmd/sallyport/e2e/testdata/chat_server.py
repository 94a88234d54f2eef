# A WebSocket server: it echoes each message, and prints it. Argument: the port.
import asyncio, sys
import websockets

async def serve(socket, path):
    async for message in socket:
        print(path, message, flush=True)
        await socket.send("echo " + message)

async def main():
    async with websockets.serve(serve, "0.0.0.0", int(sys.argv[1])):
        print("ready", flush=True)
        await asyncio.Future()

asyncio.run(main())
