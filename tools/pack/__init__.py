"""What users install: `python -m tools.pack dist|deb|rpm` (`make dist`, `make deb`, `make rpm`)."""
