"""When requests arrive: a process of mean rate one, warped by a rate over time; pure, seeded, and found by name."""
