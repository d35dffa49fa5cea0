"""The proxies of one process: made, changed, reloaded; its signals and its log."""
