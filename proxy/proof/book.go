// Package proof checks what clients prove beside their address: passwords and certificates.
package proof

import "sallyport/rules"

// A Book has what the proofs of one configuration are checked with. It is immutable.
type Book struct {
	Passwords map[string]rules.Hash // by the names of the users
	Server    *Server               // of the listener with TLS; nil: no handshake is made
}

// Of returns the book of a generation. A generation without one accepts no proof.
func Of(g *rules.Generation) *Book {
	if g != nil {
		if b, ok := g.Identities.(*Book); ok && b != nil {
			return b
		}
	}
	return &Book{}
}
