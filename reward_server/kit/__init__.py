"""Small tools that several rooms use. They know nothing of rewards, models or HTTP."""
