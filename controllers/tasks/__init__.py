"""What a task asks of any robot, from its model alone: a pose that reaches, the way there, an upright pose."""
