"""An hour of mixed traffic under changing faults, with every byte accounted for: ``python -m bench.soak``.

It is written on asyncio and on plain sockets, and speaks most protocols by itself, so that nothing of what
is tested takes part in judging it.
"""
