// Package relay copies both ways between two TCP connections.
//
// An idle relay holds only the two connections. It passes half-closes on, resets both ends on
// an error, and has limits on idling.
package relay

import _ "sallyport" // this package needs Linux
