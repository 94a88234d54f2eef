// Package hello reads the server name out of a client's first TLS bytes, and
// holds a second ClientHello against the first.
package hello
