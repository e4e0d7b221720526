// Package httpc is one HTTP exchange, timed phase by phase.
//
// In:  a Request (method, parsed URL, fields, body) and a Client, which is one virtual user's connections.
// Out: a Response (head bytes kept as they came, body, times of each phase), or an *Error with k6's error code.
//
// Invariant: on the same bytes from a server, HTTP/1.1 ends as net/http's client ends: same status, fields, body and
// trailers, same connection kept or given up (TestSameAsNetHTTP, FuzzResponseAgainstNetHTTP); an exchange on a connection
// that is kept allocates nothing (TestNoAllocationPerExchange).
// Not here: redirects, cookies, authentication, decompression, metrics; that is package k6http.
package httpc
