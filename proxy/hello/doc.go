// Package hello reads the server name from a client's first TLS bytes, and compares a second
// ClientHello with the first.
package hello
