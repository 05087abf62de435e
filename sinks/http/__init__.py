"""Any billing application that speaks JSON over HTTP, by a mapping file; see `sinks.http.mapping`."""
