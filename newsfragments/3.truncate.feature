The behavior `truncate` cuts a reply short, for every protocol: the body stops before its announced end.
