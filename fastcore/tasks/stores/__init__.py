"""Where tasks are recorded: memory, SQLite."""
