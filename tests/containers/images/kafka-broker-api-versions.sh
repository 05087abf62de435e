#!/bin/sh
# The health check of the compose file asks for this program of the official image. It needs tools that the embedded
# broker's jars leave out, so here it asks whether the broker takes connections.
address="$2"
exec python3 -c "import socket, sys; host, port = sys.argv[1].split(':'); socket.create_connection((host, int(port)), 5)" "$address"
