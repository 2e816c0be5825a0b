"""Walls around a visiting task, built by the process that is about to run it.

One module per kernel facility (`landlock`, `seccomp`, `isolation`), one that
puts them up in the order the kernel asks for (`erect`), and the report they
leave (`report`). No torch, no NumPy: a user namespace can only be entered
while the process has one thread.
"""
