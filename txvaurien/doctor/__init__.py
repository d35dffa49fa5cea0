"""``vaurien doctor``: what a configuration would do, and what is in its way, without starting a proxy.

`main` reads the command line, `examining` puts together what is looked at: `addressing` (where to
listen), `kernel` (what Linux says of ports), `reaching` and `recognising` (the backend, with the
`probes` and what answers mean in `answers`, `mysqlprobe` and `tlsprobe`), `headers` (the PROXY protocol),
`advising` (what that means for the options), `owntls` (what clients are shown), `verbs` (those of rules),
`startcheck` (the process). A `Finding` is one line of the outcome.
"""
