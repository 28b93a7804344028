"""What each tool calls TTFT, TPOT, ITL, latency and goodput: one file a tool, all computed from the same streams."""
