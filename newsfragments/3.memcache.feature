Protocol `memcache`: memcached's text protocol with its meta commands, and the binary protocol with SASL, detected per
link. Rules can name commands, keys and replies; errors are worded as memcached words them.
