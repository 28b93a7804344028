"""What the platform says of itself: Prometheus and the alert receiver, read once the run is over."""
