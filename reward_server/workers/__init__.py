"""What runs outside the event loop; knows nothing about rewards."""
