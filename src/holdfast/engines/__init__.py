"""What is done with one engine by itself: measured and fitted, or simulated in the foreground."""
