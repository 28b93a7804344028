"""What `holdfast slo` and `holdfast budget` do: one use a file, from files and servers to an answer."""
