// Package head is the one strict grammar of HTTP/1 requests, and the guard that
// applies it to a connection.
//
// Parse reads a request head. What it accepts, net/http and every sane server
// read in the same way. A Guard is a net.Conn that hands out judged heads and
// checked bodies only. A Line tells, byte by byte, whether text is the first
// line of a request to any server.
package head
