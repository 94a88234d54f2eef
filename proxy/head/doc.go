// Package head has the strict grammar of HTTP/1 requests, and the guard that applies it to a
// connection.
//
// Parse reads a request head. Every head that it accepts is read in the same way by net/http
// and by every sane server. A Guard is a net.Conn that returns only judged heads and checked
// bodies. A Line detects, byte by byte, whether text is the first line of a request for some
// server.
package head

import _ "sallyport" // this package needs Linux
