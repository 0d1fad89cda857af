"""Getting a snapshot out of a process from outside. Nothing here prints, and nothing judges what it finds.

`target` says what a process is, `ways` chooses how to reach it, and there is a file for each way: `prepared`
(its socket), `signalled`, `remote` (its main thread runs `in_target`), `unwinder` (its memory is only read)
and `debugger`.
`by_target` and `in_target` run in other processes, on the interpreter of the target: standard library only.
"""
