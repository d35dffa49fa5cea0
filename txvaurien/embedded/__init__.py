"""How `txvaurien.chaos_proxy` runs a proxy for a test: in a thread of its own, or in a process.

- `txvaurien.embed`: what tests use, blocking; `awaiting` is the same for coroutines.
- `host`: where the proxy runs. Either place carries the calls of `txvaurien.clients.vocabulary`.
- `bound`: a process that ends with the one that has started it.
- `thread`: a private reactor, never installed, in a thread of its own.
- `desk`, `ruledesk`: answer calls on the objects themselves, in that thread.
- `reached`: where clients find it.
- `faults`, `standing`, `links`: what tests are given; `trust`: what their clients need for TLS.
- `proxyurl`, `setting`: what a call of `chaos_proxy` says, read.
- `outcome`: waits for what other threads do, under asyncio, trio and Twisted.
- `edits`: plain functions, and behaviors made in the test, as rules.
"""
