"""What a child process runs: it can be imported there, which a test module cannot."""


def hangs(connection):
    connection.recv()
