"""Softmax policies over canned completions, trained on rewards of a live server: learning as theory predicts it."""
