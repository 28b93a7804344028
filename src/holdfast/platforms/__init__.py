"""Drivers: what "a platform" means on one machine and, later, on Kubernetes."""
