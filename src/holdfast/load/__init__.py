"""The load engine: an open loop of streaming chat requests with honest times; Locust is its face."""
