"""Recorded rows, paid again: is it what was paid, and what would another reward have paid?"""
