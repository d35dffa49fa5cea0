`--protocol http` frames HTTP/1: rules see method, path and status, errors are real responses (JSON or HTML), and
`overwrite-host-header`, `keep-alive` and `gateway-timeout` do what a gateway does.
