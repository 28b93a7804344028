"""What the proxy knows of HTTP and of an engine's API, for toxics that touch single answers; no other lane sees it."""
