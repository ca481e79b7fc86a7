"""HTTP: from a connection to a request, and back."""
