"""One module a trainer: the one callable or class it asks for, under the trainer's own parameter names.

All are configured by REWARD_URL (and REWARD_API_KEY), or by arguments where the trainer has a place for them. What the
server could not score is None where the trainer leaves None out (TRL); elsewhere `on_unscored` decides: "raise", or
"fallback", which pays the URL's `fallback_reward` and says so in a key `unscored` that every sample has.
"""
