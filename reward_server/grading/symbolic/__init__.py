"""Expressions and equations, compared by value."""
