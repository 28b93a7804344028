"""Use cases of load without a scenario: prove the client, find a capacity, compare two records, exchange them."""
