"""The gateway before the engines: keys, balance, failover before the first byte, honest ends after it."""
