"""One message to many WebSocket clients: the hub, its protocol, its clients and its backplanes."""
