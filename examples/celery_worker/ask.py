"""Gives the worker twenty tasks, and waits for them."""

from celery import group
from tasks import count_notes

for line in group(count_notes.s(number) for number in range(20))().get(timeout=120):
    print(line)
