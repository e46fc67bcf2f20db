"""The sentiment app: tells whether a film review is positive or negative, and why."""
