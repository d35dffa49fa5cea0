"""What proxies did: reports, the journal on disk, and its replay."""
