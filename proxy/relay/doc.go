// Package relay copies both ways between two TCP connections.
//
// An idle relay holds the two connections and nothing else. Half-closes are
// passed on, errors reset both ends, and idling is bounded.
package relay
