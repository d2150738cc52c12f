"""What the gateway says about itself: ids, counts and durations, never anybody's text."""
