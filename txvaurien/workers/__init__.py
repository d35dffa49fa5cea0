"""Several processes behind one port: ``--workers``.

The master process listens, accepts, and has the control API; it hands each connection
to a worker, a process that does the rest of the work. See docs/workers.md.
"""
