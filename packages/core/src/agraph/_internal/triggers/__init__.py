"""What makes a process write a snapshot: a signal, a Unix socket, a watchdog. All are off until asked for."""
