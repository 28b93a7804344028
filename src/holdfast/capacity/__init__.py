"""How much load a server takes while it keeps its objectives, found in few probes; pure, whoever makes the probes."""
