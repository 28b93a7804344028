"""Counts upwards on every connection, a line each 10 ms, as wide as asked for, and prints what it hears."""

import contextlib
import socket
import sys
import threading
import time

WIDTH = int(sys.argv[2]) if len(sys.argv) > 2 else 1


def count(connection):
    with contextlib.suppress(OSError):
        for number in range(100_000):
            connection.sendall(b"%*d\n" % (WIDTH, number))
            time.sleep(0.01)


def hear(connection):
    with contextlib.suppress(OSError):
        while heard := connection.recv(4096):
            print(heard.decode(), flush=True)
    connection.close()


def serve(door):
    while True:
        connection, _ = door.accept()
        for work in (count, hear):
            threading.Thread(target=work, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), reuse_port=True) as listening:
        print("listening", flush=True)
        serve(listening)
